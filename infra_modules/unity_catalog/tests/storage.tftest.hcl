mock_provider "databricks" {}

variables {
  schema              = "wine_quality"
  storage_url         = "abfss://wine@gauntletdev.dfs.core.windows.net/"
  access_connector_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/gauntlet-dev/providers/Microsoft.Databricks/accessConnectors/gauntlet-dev"
}

run "credential_acts_with_the_connector_s_identity" {
  command = plan

  assert {
    condition     = databricks_storage_credential.this[0].azure_managed_identity[0].access_connector_id == var.access_connector_id
    error_message = "The storage is reached with a managed identity and no key."
  }
}

run "location_uses_the_credential" {
  command = plan

  assert {
    condition     = databricks_external_location.this[0].credential_name == databricks_storage_credential.this[0].name
    error_message = "The location must come after its credential."
  }
  assert {
    condition     = output.external_location_url == "abfss://wine@gauntletdev.dfs.core.windows.net"
    error_message = "A slash at the end would make the places below begin with two."
  }
}

run "storage_is_kept_to_its_workspace_and_tried" {
  command = plan

  assert {
    condition = (
      databricks_storage_credential.this[0].isolation_mode == "ISOLATION_MODE_ISOLATED"
      && databricks_external_location.this[0].isolation_mode == "ISOLATION_MODE_ISOLATED"
      && databricks_storage_credential.this[0].skip_validation == false
      && databricks_external_location.this[0].skip_validation == false
    )
    error_message = "Open or untried storage has to be asked for."
  }
}

run "schema_of_an_existing_catalog_gets_a_place_of_its_own" {
  command = plan

  assert {
    condition     = databricks_schema.this.storage_root == "abfss://wine@gauntletdev.dfs.core.windows.net/managed/main/wine_quality"
    error_message = "The existing catalog keeps its own place; the schema's is below storage_url."
  }
}

run "schema_of_a_made_catalog_inherits_its_place" {
  command = plan
  variables {
    create_catalog = true
    catalog        = "wines"
  }

  assert {
    condition     = databricks_catalog.this[0].storage_root == "abfss://wine@gauntletdev.dfs.core.windows.net/managed/wines"
    error_message = "A metastore without storage of its own makes no catalog without a place."
  }
  assert {
    condition     = databricks_schema.this.storage_root == null
    error_message = "The schema inherits the catalog's place."
  }
}

run "managed_volume_gets_no_place_beside_storage_of_its_own" {
  command = plan

  assert {
    condition     = databricks_volume.this.volume_type == "MANAGED" && databricks_volume.this.storage_location == null
    error_message = "Databricks chooses the place of a managed volume, below the schema's."
  }
}

run "external_volume_lies_apart_from_managed_data" {
  command = plan
  variables {
    volume_type = "EXTERNAL"
  }

  assert {
    condition     = databricks_volume.this.storage_location == "abfss://wine@gauntletdev.dfs.core.windows.net/volumes/main/wine_quality/files"
    error_message = "Databricks refuses a volume inside managed storage."
  }
}

run "external_volume_can_be_anywhere_in_an_external_location" {
  command = plan
  variables {
    volume_type             = "EXTERNAL"
    volume_storage_location = "abfss://lake@company.dfs.core.windows.net/wine/"
  }

  assert {
    condition     = databricks_volume.this.storage_location == "abfss://lake@company.dfs.core.windows.net/wine"
    error_message = "The given place goes before the module's."
  }
  assert {
    condition     = output.volume_path == "/Volumes/main/wine_quality/files"
    error_message = "The path is the same, wherever the files lie."
  }
}
