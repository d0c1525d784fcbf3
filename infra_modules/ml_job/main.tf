locals {
  # Numbered, so that the tasks' alphabetical order, in which the workspace gives them back, is the order they run in.
  task_keys = [for number, stage in var.stages : format("s%02d_%s", number + 1, stage)]

  tasks = [for number, stage in var.stages : {
    key     = local.task_keys[number]
    stage   = stage
    after   = number == 0 ? [] : [local.task_keys[number - 1]]
    retries = contains(var.never_retried, stage) ? 0 : var.retries
    run_if  = contains(var.always_run, stage) ? "ALL_DONE" : "ALL_SUCCESS"
  }]

  job_parameters = merge(
    var.parameters,
    { state = var.state_folder },
    var.problem_file == null ? {} : { problem = var.problem_file },
  )

  # The options that follow the stage's name in each task. A reference takes the run's value of the job parameter.
  options = concat(
    ["--target", var.target],
    flatten([for name in sort(keys(local.job_parameters)) : ["--${replace(name, "_", "-")}", "{{job.parameters.${name}}}"]]),
    var.synthetic_data ? [] : ["--no-synthetic"],
  )

  job_cluster = var.compute == "job_cluster"
  serverless  = var.compute == "serverless"
}

module "cluster_size" {
  source = "../ml_cluster/modules/cluster_size"
  count  = local.job_cluster ? 1 : 0

  node_type  = var.node_type
  workers    = var.num_workers
  vcpu_quota = var.vcpu_quota
  node_vcpus = var.node_vcpus
}

resource "databricks_job" "this" {
  name            = var.name
  timeout_seconds = var.timeout_seconds
  tags            = var.tags

  # Two runs at once would write the same state folder, and race for the same champion.
  max_concurrent_runs = 1

  queue {
    enabled = var.queue
  }

  dynamic "parameter" {
    for_each = local.job_parameters

    content {
      name    = parameter.key
      default = parameter.value
    }
  }

  dynamic "job_cluster" {
    for_each = local.job_cluster ? ["pipeline"] : []

    content {
      job_cluster_key = job_cluster.value

      new_cluster {
        kind                = "CLASSIC_PREVIEW"
        is_single_node      = var.num_workers == 0
        num_workers         = var.num_workers == 0 ? null : var.num_workers
        use_ml_runtime      = true
        spark_version       = var.spark_version
        runtime_engine      = "STANDARD"
        node_type_id        = var.node_type
        driver_node_type_id = var.node_type
        data_security_mode  = "DATA_SECURITY_MODE_DEDICATED"
        policy_id           = var.policy_id
        spark_env_vars      = var.spark_env_vars
        custom_tags         = var.tags

        azure_attributes {
          availability       = var.availability
          first_on_demand    = 1
          spot_bid_max_price = -1
        }
      }
    }
  }

  dynamic "environment" {
    for_each = local.serverless ? ["pipeline"] : []

    content {
      environment_key = environment.value

      spec {
        environment_version = var.environment_version
        dependencies        = concat([var.wheel], var.pypi_packages)
      }
    }
  }

  dynamic "task" {
    for_each = local.tasks

    content {
      task_key                  = task.value.key
      run_if                    = task.value.run_if
      timeout_seconds           = var.task_timeout_seconds
      max_retries               = task.value.retries
      min_retry_interval_millis = 60000
      retry_on_timeout          = false

      job_cluster_key     = local.job_cluster ? "pipeline" : null
      existing_cluster_id = var.existing_cluster_id
      environment_key     = local.serverless ? "pipeline" : null

      # Serverless compute tries failed tasks again by itself, max_retries or not, unless this is set.
      disable_auto_optimization = local.serverless ? true : null

      python_wheel_task {
        package_name = var.package_name
        entry_point  = var.entry_point
        parameters   = concat([task.value.stage], local.options)
      }

      dynamic "depends_on" {
        for_each = task.value.after

        content {
          task_key = depends_on.value
        }
      }

      dynamic "library" {
        for_each = local.serverless ? [] : [var.wheel]

        content {
          whl = library.value
        }
      }

      dynamic "library" {
        for_each = local.serverless ? [] : var.pypi_packages

        content {
          pypi {
            package = library.value
          }
        }
      }
    }
  }

  dynamic "schedule" {
    for_each = var.schedule == null ? [] : [var.schedule]

    content {
      quartz_cron_expression = schedule.value.quartz_cron_expression
      timezone_id            = schedule.value.timezone_id
      pause_status           = schedule.value.paused ? "PAUSED" : "UNPAUSED"
    }
  }

  dynamic "run_as" {
    for_each = var.run_as == null ? [] : [var.run_as]

    content {
      user_name              = run_as.value.user_name
      service_principal_name = run_as.value.service_principal_name
    }
  }

  dynamic "email_notifications" {
    for_each = length(flatten(values(var.notifications))) > 0 ? [var.notifications] : []

    content {
      on_start   = email_notifications.value.on_start
      on_success = email_notifications.value.on_success
      on_failure = email_notifications.value.on_failure
    }
  }

  lifecycle {
    precondition {
      condition     = alltrue(module.cluster_size[*].known)
      error_message = "The job cluster's vCPUs cannot be counted. ${join("", module.cluster_size[*].sentence)}"
    }

    precondition {
      condition     = alltrue([for size in module.cluster_size : size.fits || !size.known])
      error_message = "The quota cannot start the job cluster. ${join("", module.cluster_size[*].sentence)}"
    }
  }
}

resource "databricks_permissions" "this" {
  count = length(merge(values(var.permissions)...)) > 0 ? 1 : 0

  job_id = databricks_job.this.id

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
