locals {
  # Taken from the resources as they are configured: known at plan time, and whoever uses them waits for the resources.
  catalog = var.create_catalog ? databricks_catalog.this[0].name : var.catalog
  schema  = databricks_schema.this.name
  volume  = databricks_volume.this.name

  storage_root = var.storage_url == null ? null : databricks_external_location.this[0].url
  # A catalog that is made here keeps its managed data below storage_url, and the schema inherits that. In a catalog that
  # exists, only the schema can be given a place of its own.
  managed_root    = local.storage_root == null ? null : "${local.storage_root}/managed/${var.catalog}"
  schema_root     = var.create_catalog || local.managed_root == null ? null : "${local.managed_root}/${var.schema}"
  default_volume  = local.storage_root == null ? null : "${local.storage_root}/volumes/${var.catalog}/${var.schema}/${var.volume}"
  external_volume = var.volume_storage_location != null ? trimsuffix(var.volume_storage_location, "/") : local.default_volume
}

resource "databricks_catalog" "this" {
  count = var.create_catalog ? 1 : 0

  name           = var.catalog
  storage_root   = local.managed_root
  isolation_mode = var.isolation_mode
  comment        = var.comment
  force_destroy  = var.force_destroy
}

resource "databricks_schema" "this" {
  catalog_name  = local.catalog
  name          = var.schema
  storage_root  = local.schema_root
  comment       = var.comment
  force_destroy = var.force_destroy
}

resource "databricks_volume" "this" {
  catalog_name     = databricks_schema.this.catalog_name
  schema_name      = databricks_schema.this.name
  name             = var.volume
  volume_type      = var.volume_type
  storage_location = var.volume_type == "EXTERNAL" ? local.external_volume : null
  comment          = var.comment
}
