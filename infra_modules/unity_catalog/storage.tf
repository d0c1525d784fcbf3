resource "databricks_storage_credential" "this" {
  count = var.access_connector_id == null ? 0 : 1

  name            = var.storage_name
  comment         = var.comment
  isolation_mode  = "ISOLATION_MODE_${var.isolation_mode}"
  read_only       = false
  skip_validation = var.skip_validation
  force_destroy   = false

  azure_managed_identity {
    access_connector_id = var.access_connector_id
  }
}

resource "databricks_external_location" "this" {
  count = var.storage_url == null ? 0 : 1

  name            = var.storage_name
  url             = trimsuffix(var.storage_url, "/")
  credential_name = databricks_storage_credential.this[0].name
  comment         = var.comment
  isolation_mode  = "ISOLATION_MODE_${var.isolation_mode}"
  read_only       = false
  skip_validation = var.skip_validation
  force_destroy   = false
}
