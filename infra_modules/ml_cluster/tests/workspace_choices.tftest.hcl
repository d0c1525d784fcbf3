mock_provider "databricks" {
  mock_data "databricks_spark_version" {
    defaults = {
      id = "16.4.x-cpu-ml-scala2.12"
    }
  }
  mock_data "databricks_node_type" {
    defaults = {
      id = "Standard_D4ds_v5"
    }
  }
  mock_data "databricks_current_user" {
    defaults = {
      user_name = "admin@example.com"
    }
  }
}

variables {
  name = "gauntlet"
}

run "newest_ml_runtime_with_long_term_support_is_taken_in_its_plain_form" {
  command = plan

  assert {
    condition     = data.databricks_spark_version.this[0].ml && data.databricks_spark_version.this[0].long_term_support
    error_message = "The workspace is asked for an ML runtime with long-term support."
  }
  assert {
    condition     = databricks_cluster.this.spark_version == "16.4.x-scala2.12"
    error_message = "With kind, the runtime is named without -cpu-ml-."
  }
}

run "smallest_node_of_the_workspace_is_taken_when_cores_are_asked_for" {
  command = plan
  variables {
    node_min_cores = 4
  }

  assert {
    condition     = data.databricks_node_type.this[0].min_cores == 4
    error_message = "The workspace is asked for at least 4 cores."
  }
  assert {
    condition     = databricks_cluster.this.node_type_id == "Standard_D4ds_v5" && output.vcpus == 4
    error_message = "The workspace's answer is the node type, and counts against the quota."
  }
}

run "cluster_works_for_whoever_makes_it_when_nobody_is_named" {
  command = plan

  assert {
    condition     = databricks_cluster.this.single_user_name == "admin@example.com"
    error_message = "Dedicated access mode needs a name."
  }
}

run "workspace_is_asked_nothing_when_all_is_given" {
  command = plan
  variables {
    spark_version    = "16.4.x-scala2.12"
    single_user_name = "wine@example.com"
  }

  assert {
    condition = (
      length(data.databricks_spark_version.this) == 0
      && length(data.databricks_node_type.this) == 0
      && length(data.databricks_current_user.this) == 0
    )
    error_message = "A plan without a workspace must be possible."
  }
}
