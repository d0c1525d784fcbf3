output "catalog" {
  description = "Name of the catalog, made or used."
  value       = local.catalog
}

output "schema" {
  description = "Full name of the schema, CATALOG.SCHEMA: the beginning of its tables' and models' three-level names."
  value       = "${local.catalog}.${local.schema}"
}

output "schema_name" {
  description = "Name of the schema alone."
  value       = local.schema
}

output "volume" {
  description = "Full name of the volume, CATALOG.SCHEMA.VOLUME."
  value       = "${local.catalog}.${local.schema}.${local.volume}"
}

output "volume_path" {
  description = "Path of the volume's files, /Volumes/CATALOG/SCHEMA/VOLUME."
  value       = "/Volumes/${local.catalog}/${local.schema}/${local.volume}"
}

output "storage_credential_name" {
  description = "Name of the storage credential; null when none is made."
  value       = var.access_connector_id == null ? null : databricks_storage_credential.this[0].name
}

output "external_location_url" {
  description = "Where the external location points; null when none is made."
  value       = local.storage_root
}
