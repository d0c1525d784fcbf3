mock_provider "databricks" {}

variables {
  name             = "gauntlet"
  spark_version    = "16.4.x-scala2.12"
  single_user_name = "wine@example.com"
  vcpu_quota       = 20
}

run "workers_make_it_no_single_node" {
  command = plan
  variables {
    num_workers = 4
  }

  assert {
    condition     = databricks_cluster.this.is_single_node == false && databricks_cluster.this.num_workers == 4
    error_message = "Four workers were asked for."
  }
  assert {
    condition     = output.vcpus == 20 && !output.single_node
    error_message = "The driver counts beside the workers: 5 nodes of 4 vCPUs."
  }
}

run "autoscaling_counts_its_most_workers" {
  command = plan
  variables {
    autoscale = { min_workers = 1, max_workers = 4 }
  }

  assert {
    condition = (
      databricks_cluster.this.autoscale[0].min_workers == 1
      && databricks_cluster.this.autoscale[0].max_workers == 4
      && databricks_cluster.this.num_workers == null
      && databricks_cluster.this.is_single_node == false
    )
    error_message = "The number of workers is Databricks' choice between the two bounds."
  }
  assert {
    condition     = output.vcpus == 20
    error_message = "What may be started at most is what the quota must hold."
  }
}

run "spot_policy_leaves_the_driver_on_demand" {
  command = plan
  variables {
    num_workers        = 2
    availability       = "SPOT_WITH_FALLBACK_AZURE"
    spot_bid_max_price = 0.5
  }

  assert {
    condition = (
      databricks_cluster.this.azure_attributes[0].availability == "SPOT_WITH_FALLBACK_AZURE"
      && databricks_cluster.this.azure_attributes[0].first_on_demand == 1
      && databricks_cluster.this.azure_attributes[0].spot_bid_max_price == 0.5
    )
    error_message = "A driver that is taken away takes the cluster with it."
  }
}
