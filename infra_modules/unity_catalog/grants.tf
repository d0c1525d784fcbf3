# One resource for each principal: databricks_grants (the plural) would take away what others were granted elsewhere.

resource "databricks_grant" "catalog" {
  for_each = var.catalog_grants

  catalog    = local.catalog
  principal  = each.key
  privileges = each.value
}

resource "databricks_grant" "schema" {
  for_each = var.schema_grants

  schema     = "${local.catalog}.${local.schema}"
  principal  = each.key
  privileges = each.value
}

resource "databricks_grant" "volume" {
  for_each = var.volume_grants

  volume     = "${local.catalog}.${local.schema}.${local.volume}"
  principal  = each.key
  privileges = each.value
}

resource "databricks_grant" "external_location" {
  for_each = var.external_location_grants

  external_location = databricks_external_location.this[0].name
  principal         = each.key
  privileges        = each.value
}
