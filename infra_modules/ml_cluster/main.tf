data "databricks_spark_version" "this" {
  count = var.spark_version == null ? 1 : 0

  ml                = true
  long_term_support = true
}

data "databricks_node_type" "this" {
  count = var.node_min_cores == null ? 0 : 1

  min_cores  = var.node_min_cores
  local_disk = true
}

data "databricks_current_user" "this" {
  count = var.single_user_name == null ? 1 : 0
}

locals {
  # The workspace answers with the ML runtime's own name (16.4.x-cpu-ml-scala2.12). With `kind` the API wants the plain
  # runtime and use_ml_runtime beside it; asking for ml = true makes sure that there is an ML runtime of that version.
  spark_version    = var.spark_version != null ? var.spark_version : replace(data.databricks_spark_version.this[0].id, "/-(cpu|gpu)-ml-/", "-")
  node_type        = var.node_min_cores == null ? var.node_type : data.databricks_node_type.this[0].id
  single_user_name = var.single_user_name != null ? var.single_user_name : data.databricks_current_user.this[0].user_name

  single_node  = var.autoscale == null && var.num_workers == 0
  most_workers = var.autoscale == null ? var.num_workers : var.autoscale.max_workers
}

module "size" {
  source = "./modules/cluster_size"

  node_type  = local.node_type
  workers    = local.most_workers
  vcpu_quota = var.vcpu_quota
  node_vcpus = var.node_vcpus
}

resource "databricks_cluster" "this" {
  cluster_name = var.name

  # The one spelling of a single node that this module knows: Databricks itself sets the matching spark_conf, custom_tags
  # and num_workers.
  kind           = "CLASSIC_PREVIEW"
  is_single_node = local.single_node
  use_ml_runtime = true
  spark_version  = local.spark_version
  runtime_engine = var.runtime_engine

  node_type_id        = local.node_type
  driver_node_type_id = local.node_type
  num_workers         = local.single_node || var.autoscale != null ? null : var.num_workers

  data_security_mode      = "DATA_SECURITY_MODE_DEDICATED"
  single_user_name        = local.single_user_name
  autotermination_minutes = var.autotermination_minutes
  is_pinned               = var.is_pinned
  no_wait                 = false
  policy_id               = var.policy != null ? databricks_cluster_policy.this[0].id : var.policy_id

  spark_conf     = var.spark_conf
  spark_env_vars = var.spark_env_vars
  custom_tags    = var.custom_tags

  dynamic "autoscale" {
    for_each = var.autoscale == null ? [] : [var.autoscale]

    content {
      min_workers = autoscale.value.min_workers
      max_workers = autoscale.value.max_workers
    }
  }

  azure_attributes {
    availability       = var.availability
    first_on_demand    = var.first_on_demand
    spot_bid_max_price = var.spot_bid_max_price
  }

  # A library block takes one kind of library.
  dynamic "library" {
    for_each = var.pypi_packages

    content {
      pypi {
        package = library.value
      }
    }
  }

  dynamic "library" {
    for_each = var.wheels

    content {
      whl = library.value
    }
  }

  lifecycle {
    precondition {
      condition     = module.size.known
      error_message = "The cluster's vCPUs cannot be counted. ${module.size.sentence}"
    }

    precondition {
      condition     = module.size.fits || !module.size.known
      error_message = "The quota cannot start this cluster. ${module.size.sentence}"
    }
  }
}

resource "databricks_permissions" "cluster" {
  count = length(merge(values(var.permissions)...)) > 0 ? 1 : 0

  cluster_id = databricks_cluster.this.id

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
