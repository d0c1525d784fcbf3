mock_provider "databricks" {}

variables {
  schema = "wine_quality"
}

run "existing_catalog_is_used_and_not_made" {
  command = plan

  assert {
    condition     = length(databricks_catalog.this) == 0 && databricks_schema.this.catalog_name == "main"
    error_message = "main was there before, and must be there after a destroy."
  }
}

run "names_are_known_at_plan_time" {
  command = plan

  assert {
    condition = (
      output.catalog == "main"
      && output.schema == "main.wine_quality"
      && output.schema_name == "wine_quality"
      && output.volume == "main.wine_quality.files"
    )
    error_message = "Other stacks and tests build on the full names before anything is made."
  }
  assert {
    condition     = output.volume_path == "/Volumes/main/wine_quality/files"
    error_message = "The volume's path follows from its names."
  }
}

run "managed_volume_gets_no_place" {
  command = plan

  assert {
    condition     = databricks_volume.this.volume_type == "MANAGED" && databricks_volume.this.storage_location == null
    error_message = "Databricks chooses the place of a managed volume."
  }
}

run "no_storage_is_made_without_a_connector" {
  command = plan

  assert {
    condition = (
      length(databricks_storage_credential.this) == 0
      && length(databricks_external_location.this) == 0
      && databricks_schema.this.storage_root == null
      && output.storage_credential_name == null
      && output.external_location_url == null
    )
    error_message = "The schema is kept where the catalog keeps its own."
  }
}

run "data_stops_a_destroy" {
  command = plan
  variables {
    create_catalog = true
    catalog        = "wines"
  }

  assert {
    condition     = databricks_catalog.this[0].force_destroy == false && databricks_schema.this.force_destroy == false
    error_message = "A schema that holds tables must not go by the way."
  }
}

run "made_catalog_is_kept_to_its_workspace" {
  command = plan
  variables {
    create_catalog = true
    catalog        = "wines"
  }

  assert {
    condition     = databricks_catalog.this[0].isolation_mode == "ISOLATED"
    error_message = "Every workspace of the metastore would see the catalog."
  }
  assert {
    condition     = output.schema == "wines.wine_quality"
    error_message = "The schema is in the made catalog."
  }
}
