provider "databricks" {
  host = var.workspace_url
}
