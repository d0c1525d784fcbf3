mock_provider "databricks" {
  mock_resource "databricks_cluster" {
    defaults = {
      id         = "1123-101500-wine0001"
      cluster_id = "1123-101500-wine0001"
    }
  }
  mock_resource "databricks_cluster_policy" {
    defaults = {
      id        = "001A2B3C4D5E6F70"
      policy_id = "001A2B3C4D5E6F70"
    }
  }
}

variables {
  name             = "gauntlet"
  spark_version    = "16.4.x-scala2.12"
  single_user_name = "wine@example.com"
  policy           = { name = "gauntlet", user_groups = ["data-scientists"] }
  custom_tags      = { team = "wine" }
}

run "permissions_name_one_principal_each" {
  command = plan
  variables {
    permissions = {
      users              = { "wine@example.com" = "CAN_RESTART" }
      groups             = { "data-scientists" = "CAN_ATTACH_TO" }
      service_principals = { "0f0f0f0f-0000-4000-8000-000000000001" = "CAN_MANAGE" }
    }
  }

  assert {
    condition     = length(databricks_permissions.cluster[0].access_control) == 3
    error_message = "Each principal gets its own entry."
  }
  assert {
    condition = alltrue([
      for entry in databricks_permissions.cluster[0].access_control :
      length(compact([entry.user_name, entry.group_name, entry.service_principal_name])) == 1
    ])
    error_message = "An entry names a user, a group or a service principal, and only one of them."
  }
}

run "policy_holds_others_to_the_same_limits" {
  command = plan
  variables {
    vcpu_quota = 12
  }

  assert {
    condition = (
      jsondecode(databricks_cluster_policy.this[0].definition)["node_type_id"].values == ["Standard_DS3_v2"]
      && jsondecode(databricks_cluster_policy.this[0].definition)["num_workers"].maxValue == 2
      && jsondecode(databricks_cluster_policy.this[0].definition)["autotermination_minutes"].maxValue == 20
      && jsondecode(databricks_cluster_policy.this[0].definition)["custom_tags.team"].value == "wine"
    )
    error_message = "The policy must carry the node type, the workers that 12 vCPUs start, autotermination and tags."
  }
}

run "given_rules_go_before_the_policy_s_own" {
  command = plan
  variables {
    policy = {
      name       = "gauntlet"
      definition = "{\"autotermination_minutes\": {\"type\": \"fixed\", \"value\": 10}}"
    }
  }

  assert {
    condition     = jsondecode(databricks_cluster_policy.this[0].definition)["autotermination_minutes"] == { type = "fixed", value = 10 }
    error_message = "A rule of policy.definition replaces the module's."
  }
  assert {
    condition     = length(databricks_permissions.policy) == 0
    error_message = "Nobody was named who may use the policy."
  }
}

run "groups_may_use_the_policy" {
  command = plan

  assert {
    condition     = one(databricks_permissions.policy[0].access_control).permission_level == "CAN_USE"
    error_message = "A policy is used or managed; users use it."
  }
}

run "cluster_is_made_under_its_policy" {
  command = apply

  assert {
    condition     = databricks_cluster.this.policy_id == databricks_cluster_policy.this[0].id && output.policy_id == "001A2B3C4D5E6F70"
    error_message = "The module's own cluster keeps the policy that it makes."
  }
  assert {
    condition     = databricks_permissions.policy[0].cluster_policy_id == "001A2B3C4D5E6F70"
    error_message = "The permission must be on the made policy."
  }
}
