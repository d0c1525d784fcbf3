mock_provider "databricks" {
  mock_resource "databricks_mlflow_experiment" {
    defaults = {
      id            = "2147483647"
      experiment_id = "2147483647"
    }
  }
}

variables {
  workspace_folder = "/Shared/gauntlet"
  experiment_name  = "/Shared/gauntlet/wine_quality"
  catalog_name     = "main"
  schema_name      = "wine_quality"
  model_name       = "wine_classifier"
}

run "experiment_and_model_have_the_pipeline_s_names" {
  command = plan

  assert {
    condition     = output.experiment_name == "/Shared/gauntlet/wine_quality"
    error_message = "The experiment is found by its path."
  }
  assert {
    condition     = output.registered_model == "main.wine_quality.wine_classifier"
    error_message = "The three-level name must be known at plan time, for grants and serving."
  }
}

run "model_is_granted_by_principal" {
  command = plan
  variables {
    model_grants = { "data-scientists" = ["EXECUTE"], "wine-pipeline" = ["CREATE_MODEL_VERSION", "EXECUTE", "MANAGE"] }
  }

  assert {
    condition     = databricks_grant.model["data-scientists"].model == "main.wine_quality.wine_classifier" && databricks_grant.model["data-scientists"].privileges == toset(["EXECUTE"])
    error_message = "A principal is granted what is listed for it, on the full name."
  }
  assert {
    condition     = length(databricks_grant.model) == 2
    error_message = "Each principal has a grant of its own."
  }
}

run "experiment_is_permitted_by_its_id" {
  command = apply
  variables {
    experiment_permissions = {
      users              = { "wine@example.com" = "CAN_MANAGE" }
      groups             = { "data-scientists" = "CAN_EDIT" }
      service_principals = { "0f0f0f0f-0000-4000-8000-000000000001" = "CAN_READ" }
    }
  }

  assert {
    condition     = databricks_permissions.experiment[0].experiment_id == "2147483647" && output.experiment_id == "2147483647"
    error_message = "The permissions must be on the made experiment."
  }
  assert {
    condition = alltrue([
      for entry in databricks_permissions.experiment[0].access_control :
      length([for name in [entry.user_name, entry.group_name, entry.service_principal_name] : name if name != null]) == 1
    ])
    error_message = "An entry names a user, a group or a service principal, and only one of them."
  }
}

run "no_experiment_and_no_model_unasked" {
  command = plan
  variables {
    experiment_name = null
    model_name      = null
  }

  assert {
    condition     = length(databricks_mlflow_experiment.this) + length(databricks_registered_model.this) == 0
    error_message = "Neither was named."
  }
  assert {
    condition     = output.experiment_name == null && output.registered_model == null
    error_message = "What is not made has no name."
  }
}
