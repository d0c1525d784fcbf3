# MLflow's experiment and registered model, and the secret scope. Notebooks and modules are in workspace.tf, files in
# volume.tf.

resource "databricks_mlflow_experiment" "this" {
  count = var.experiment_name == null ? 0 : 1

  name              = var.experiment_name
  artifact_location = var.artifact_location

  # An experiment is made in a folder that exists; it may be this one.
  depends_on = [databricks_directory.this]
}

resource "databricks_permissions" "experiment" {
  count = length(merge(values(var.experiment_permissions)...)) > 0 ? 1 : 0

  experiment_id = databricks_mlflow_experiment.this[0].id

  dynamic "access_control" {
    for_each = var.experiment_permissions.users

    content {
      user_name        = access_control.key
      permission_level = access_control.value
    }
  }

  dynamic "access_control" {
    for_each = var.experiment_permissions.groups

    content {
      group_name       = access_control.key
      permission_level = access_control.value
    }
  }

  dynamic "access_control" {
    for_each = var.experiment_permissions.service_principals

    content {
      service_principal_name = access_control.key
      permission_level       = access_control.value
    }
  }
}

resource "databricks_registered_model" "this" {
  count = var.model_name == null ? 0 : 1

  catalog_name = var.catalog_name
  schema_name  = var.schema_name
  name         = var.model_name
  comment      = var.model_comment
}

locals {
  # Put together from what is configured, so that it is known at plan time.
  model_full_names = [for model in databricks_registered_model.this : "${model.catalog_name}.${model.schema_name}.${model.name}"]
}

resource "databricks_grant" "model" {
  for_each = var.model_grants

  model      = one(local.model_full_names)
  principal  = each.key
  privileges = each.value
}

resource "databricks_secret_scope" "this" {
  count = var.secret_scope == null ? 0 : 1

  name = var.secret_scope

  dynamic "keyvault_metadata" {
    for_each = var.key_vault == null ? [] : [var.key_vault]

    content {
      resource_id = keyvault_metadata.value.resource_id
      dns_name    = keyvault_metadata.value.dns_name
    }
  }
}

resource "databricks_secret_acl" "this" {
  for_each = var.secret_acls

  scope      = databricks_secret_scope.this[0].name
  principal  = each.key
  permission = each.value
}
