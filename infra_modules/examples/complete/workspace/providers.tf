provider "databricks" {
  host = var.workspace_url

  # With its resource id, whoever may change the workspace in Azure is let into a new workspace as an administrator.
  azure_workspace_resource_id = var.workspace_resource_id
  auth_type                   = var.auth_type
}
