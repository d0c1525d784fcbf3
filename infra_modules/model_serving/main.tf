locals {
  served = var.champion_version != null

  # The served versions by their part. Names stay when versions change, so that an update moves no traffic by itself.
  champion   = { name = "champion", version = var.champion_version, percentage = var.challenger_version == null ? 100 : 100 - var.challenger_percentage }
  challenger = { name = "challenger", version = var.challenger_version, percentage = var.challenger_percentage }
  entities   = [for entity in [local.champion, local.challenger] : entity if entity.version != null]
}

resource "databricks_model_serving" "this" {
  count = local.served ? 1 : 0

  name            = var.name
  route_optimized = false

  config {
    dynamic "served_entities" {
      for_each = local.entities

      content {
        name                  = served_entities.value.name
        entity_name           = var.model
        entity_version        = served_entities.value.version
        workload_size         = var.workload_size
        workload_type         = var.workload_type
        scale_to_zero_enabled = var.scale_to_zero
        environment_vars      = var.environment_variables
      }
    }

    traffic_config {
      dynamic "routes" {
        for_each = local.entities

        content {
          served_entity_name = routes.value.name
          traffic_percentage = routes.value.percentage
        }
      }
    }
  }

  dynamic "ai_gateway" {
    for_each = var.inference_table == null ? [] : [var.inference_table]

    content {
      inference_table_config {
        enabled           = true
        catalog_name      = ai_gateway.value.catalog_name
        schema_name       = ai_gateway.value.schema_name
        table_name_prefix = ai_gateway.value.table_name_prefix
      }
    }
  }

  dynamic "email_notifications" {
    for_each = length(var.notified_of_failed_updates) > 0 ? [var.notified_of_failed_updates] : []

    content {
      on_update_failure = email_notifications.value
    }
  }

  dynamic "tags" {
    for_each = var.tags

    content {
      key   = tags.key
      value = tags.value
    }
  }

  lifecycle {
    precondition {
      condition     = contains(["premium", "trial"], var.sku)
      error_message = "The workspace's SKU is ${var.sku}, which cannot serve models: make the workspace premium (sku = \"premium\" in the infra stack; a workspace is upgraded in place), or leave champion_version null and serve elsewhere."
    }
  }
}

resource "databricks_permissions" "this" {
  count = local.served && length(merge(values(var.permissions)...)) > 0 ? 1 : 0

  serving_endpoint_id = databricks_model_serving.this[0].serving_endpoint_id

  dynamic "access_control" {
    for_each = var.permissions.users

    content {
      user_name        = access_control.key
      permission_level = access_control.value
    }
  }

  dynamic "access_control" {
    for_each = var.permissions.groups

    content {
      group_name       = access_control.key
      permission_level = access_control.value
    }
  }

  dynamic "access_control" {
    for_each = var.permissions.service_principals

    content {
      service_principal_name = access_control.key
      permission_level       = access_control.value
    }
  }
}
