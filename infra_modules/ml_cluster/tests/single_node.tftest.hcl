mock_provider "databricks" {}

variables {
  name             = "gauntlet"
  spark_version    = "16.4.x-scala2.12"
  single_user_name = "wine@example.com"
}

run "single_node_has_one_spelling" {
  command = plan

  assert {
    condition = (
      databricks_cluster.this.kind == "CLASSIC_PREVIEW"
      && databricks_cluster.this.is_single_node == true
      && databricks_cluster.this.use_ml_runtime == true
    )
    error_message = "A single node is said by kind, is_single_node and use_ml_runtime."
  }
  assert {
    condition     = databricks_cluster.this.num_workers == null && length(databricks_cluster.this.autoscale) == 0
    error_message = "Databricks sets the workers of a single node itself."
  }
  assert {
    condition     = length(databricks_cluster.this.spark_conf) == 0 && length(databricks_cluster.this.custom_tags) == 0
    error_message = "Nothing of the older spelling may be beside it."
  }
}

run "default_cluster_fits_the_free_trial" {
  command = plan

  assert {
    condition     = databricks_cluster.this.node_type_id == "Standard_DS3_v2" && output.vcpus == 4
    error_message = "The default is one node of 4 vCPUs, the free trial's whole quota."
  }
  assert {
    condition     = output.single_node
    error_message = "The default is a single node."
  }
}

run "driver_is_of_the_given_node_type" {
  command = plan
  variables {
    node_type = "Standard_F4s_v2"
  }

  assert {
    condition     = databricks_cluster.this.driver_node_type_id == "Standard_F4s_v2"
    error_message = "A driver type that is left out would keep the earlier one when node_type changes."
  }
}

run "access_mode_is_dedicated_to_one_principal" {
  command = plan

  assert {
    condition = (
      databricks_cluster.this.data_security_mode == "DATA_SECURITY_MODE_DEDICATED"
      && databricks_cluster.this.single_user_name == "wine@example.com"
    )
    error_message = "The ML runtime reads Unity Catalog in dedicated access mode only."
  }
}

run "cluster_stops_when_nobody_works" {
  command = plan

  assert {
    condition     = databricks_cluster.this.autotermination_minutes == 20
    error_message = "The default is 20 minutes."
  }
}

run "vms_are_on_demand_unless_asked_otherwise" {
  command = plan

  assert {
    condition = (
      databricks_cluster.this.azure_attributes[0].availability == "ON_DEMAND_AZURE"
      && databricks_cluster.this.azure_attributes[0].first_on_demand == 1
      && databricks_cluster.this.azure_attributes[0].spot_bid_max_price == -1
    )
    error_message = "The free trial has no spot VMs."
  }
}

run "library_block_holds_one_kind_each" {
  command = plan
  variables {
    pypi_packages = ["hyperopt==0.2.7", "great-expectations>=1.6,<2"]
    wheels        = ["/Volumes/main/wine_quality/files/wheels/gauntlet_mlops-0.1.0-py3-none-any.whl"]
  }

  assert {
    condition     = length(databricks_cluster.this.library) == 3
    error_message = "There must be a block for each library."
  }
  assert {
    condition     = alltrue([for library in databricks_cluster.this.library : (length(library.pypi) == 1) != (library.whl != null)])
    error_message = "The API takes one kind of library in a block."
  }
}

run "size_outside_the_table_counts_by_its_given_vcpus" {
  command = plan
  variables {
    node_type  = "Standard_NC6s_v3"
    node_vcpus = 6
    vcpu_quota = 6
  }

  assert {
    condition     = output.vcpus == 6
    error_message = "node_vcpus stands in for the table."
  }
}

run "nothing_but_the_cluster_is_made" {
  command = plan

  assert {
    condition = (
      length(databricks_cluster_policy.this) == 0
      && length(databricks_permissions.cluster) == 0
      && length(databricks_permissions.policy) == 0
    )
    error_message = "A policy and permissions are made when they are asked for."
  }
}
