locals {
  policy_rules = {
    "node_type_id"            = { type = "allowlist", values = [local.node_type], defaultValue = local.node_type }
    "driver_node_type_id"     = { type = "allowlist", values = [local.node_type], isOptional = true }
    "num_workers"             = { type = "range", maxValue = module.size.most_workers, isOptional = true }
    "autoscale.max_workers"   = { type = "range", maxValue = module.size.most_workers, isOptional = true }
    "autotermination_minutes" = { type = "range", minValue = 10, maxValue = var.autotermination_minutes, defaultValue = var.autotermination_minutes }
  }

  policy_tags = { for name, value in var.custom_tags : "custom_tags.${name}" => { type = "fixed", value = value } }
}

resource "databricks_cluster_policy" "this" {
  count = var.policy == null ? 0 : 1

  name                  = var.policy.name
  max_clusters_per_user = var.policy.max_clusters_per_user
  definition            = jsonencode(merge(local.policy_rules, local.policy_tags, jsondecode(var.policy.definition)))
}

resource "databricks_permissions" "policy" {
  count = var.policy == null ? 0 : length(var.policy.user_groups) > 0 ? 1 : 0

  cluster_policy_id = databricks_cluster_policy.this[0].id

  dynamic "access_control" {
    for_each = var.policy.user_groups

    content {
      group_name       = access_control.value
      permission_level = "CAN_USE"
    }
  }
}
