mock_provider "databricks" {}

variables {
  schema              = "wine_quality"
  storage_url         = "abfss://wine@gauntletdev.dfs.core.windows.net"
  access_connector_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/gauntlet-dev/providers/Microsoft.Databricks/accessConnectors/gauntlet-dev"

  catalog_grants           = { "data-scientists" = ["USE_CATALOG"], "wine-pipeline" = ["USE_CATALOG"] }
  schema_grants            = { "data-scientists" = ["USE_SCHEMA", "SELECT"] }
  volume_grants            = { "data-scientists" = ["READ_VOLUME"] }
  external_location_grants = { "wine-pipeline" = ["READ_FILES"] }
}

run "each_principal_has_a_grant_of_its_own" {
  command = plan

  assert {
    condition     = keys(databricks_grant.catalog) == ["data-scientists", "wine-pipeline"]
    error_message = "Grants that were made elsewhere must stay."
  }
  assert {
    condition     = databricks_grant.catalog["wine-pipeline"].privileges == toset(["USE_CATALOG"])
    error_message = "A principal is granted what is listed for it, and nothing else."
  }
}

run "grants_name_their_object_in_full" {
  command = plan

  assert {
    condition = (
      databricks_grant.catalog["data-scientists"].catalog == "main"
      && databricks_grant.schema["data-scientists"].schema == "main.wine_quality"
      && databricks_grant.volume["data-scientists"].volume == "main.wine_quality.files"
      && databricks_grant.external_location["wine-pipeline"].external_location == "gauntlet"
    )
    error_message = "A grant names a catalog, CATALOG.SCHEMA, CATALOG.SCHEMA.VOLUME or an external location."
  }
}

run "nobody_is_granted_anything_unasked" {
  command = plan
  variables {
    catalog_grants           = {}
    schema_grants            = {}
    volume_grants            = {}
    external_location_grants = {}
  }

  assert {
    condition = (
      length(databricks_grant.catalog) + length(databricks_grant.schema)
      + length(databricks_grant.volume) + length(databricks_grant.external_location) == 0
    )
    error_message = "The default is no grant."
  }
}
