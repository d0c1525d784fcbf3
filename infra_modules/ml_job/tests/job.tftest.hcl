# What the module promises of the job, over a provider that is mocked.

mock_provider "databricks" {
  mock_resource "databricks_job" {
    defaults = { id = "1021", url = "https://adb-1.1.azuredatabricks.net/#job/1021" }
  }
}

variables {
  name         = "wine_quality"
  wheel        = "/Volumes/main/wine_quality/files/wheels/gauntlet_mlops-0.1.0-py3-none-any.whl"
  state_folder = "/Volumes/main/wine_quality/files/state"
}

run "a_task_for_each_stage_in_the_pipelines_order" {
  command = plan

  assert {
    condition = [for task in databricks_job.this.task : task.python_wheel_task[0].parameters[0]] == [
      "ingest", "expectations", "explore", "split", "baseline", "register", "sweep", "select", "package", "judge",
      "promote", "score", "report",
    ]
    error_message = "The tasks do not run the stages in the pipeline's order."
  }
}

run "keys_sort_as_the_tasks_run" {
  command = plan

  assert {
    condition     = databricks_job.this.task[*].task_key == sort(databricks_job.this.task[*].task_key)
    error_message = "The tasks' keys do not sort as the tasks run."
  }

  assert {
    condition     = output.task_keys[0] == "s01_ingest" && output.task_keys[12] == "s13_report"
    error_message = "The tasks' keys are not numbered from s01_ingest to s13_report."
  }
}

run "each_task_waits_for_the_one_before" {
  command = plan

  assert {
    condition     = length(databricks_job.this.task[0].depends_on) == 0
    error_message = "The first task waits for another."
  }

  assert {
    condition = alltrue([
      for number in range(1, 13) : databricks_job.this.task[number].depends_on[*].task_key == tolist([databricks_job.this.task[number - 1].task_key])
    ])
    error_message = "A task does not wait for the one before it, and for no other."
  }
}

run "every_task_calls_the_wheels_entry_point" {
  command = plan

  assert {
    condition = alltrue([
      for task in databricks_job.this.task :
      task.python_wheel_task[0].package_name == "gauntlet_mlops" && task.python_wheel_task[0].entry_point == "gauntlet-stage"
    ])
    error_message = "A task does not call gauntlet-stage of gauntlet_mlops."
  }
}

run "options_take_the_values_of_the_run" {
  command = plan

  variables {
    problem_file = "/Volumes/main/wine_quality/files/wine.toml"
    parameters   = { seed = "7", max_wait = "60" }
  }

  assert {
    condition = slice(databricks_job.this.task[0].python_wheel_task[0].parameters, 1, 12) == tolist([
      "--target", "databricks",
      "--max-wait", "{{job.parameters.max_wait}}",
      "--problem", "{{job.parameters.problem}}",
      "--seed", "{{job.parameters.seed}}",
      "--state", "{{job.parameters.state}}",
      "--no-synthetic",
    ])
    error_message = "The options of a task do not refer to the job's parameters."
  }

  assert {
    condition = { for parameter in databricks_job.this.parameter : parameter.name => parameter.default } == {
      max_wait = "60"
      problem  = "/Volumes/main/wine_quality/files/wine.toml"
      seed     = "7"
      state    = "/Volumes/main/wine_quality/files/state"
    }
    error_message = "The job's parameters are not those that were given."
  }
}

run "generated_data_stand_in_only_when_allowed" {
  command = plan

  variables {
    synthetic_data = true
  }

  assert {
    condition     = !anytrue([for task in databricks_job.this.task : contains(task.python_wheel_task[0].parameters, "--no-synthetic")])
    error_message = "Generated data are allowed, yet a task refuses them."
  }
}

run "one_run_at_a_time_and_the_next_waits" {
  command = plan

  assert {
    condition     = databricks_job.this.max_concurrent_runs == 1 && databricks_job.this.queue[0].enabled
    error_message = "Two runs could be at work at once, or a second is dropped."
  }
}

run "a_no_of_judge_or_promote_is_not_asked_again" {
  command = plan

  variables {
    retries = 3
  }

  assert {
    condition = {
      for task in databricks_job.this.task : task.python_wheel_task[0].parameters[0] => task.max_retries
      if task.max_retries == 0
    } == { judge = 0, promote = 0, report = 0 }
    error_message = "Other tasks than judge, promote and report are tried once."
  }

  assert {
    condition     = databricks_job.this.task[0].max_retries == 3 && !anytrue(databricks_job.this.task[*].retry_on_timeout)
    error_message = "A task is not tried as often as retries says, or again after it took too long."
  }
}

run "only_the_report_runs_after_a_failure" {
  command = plan

  assert {
    condition     = [for task in databricks_job.this.task : task.task_key if task.run_if == "ALL_DONE"] == ["s13_report"]
    error_message = "Not the report alone runs after a failure."
  }

  assert {
    condition     = toset([for task in databricks_job.this.task : task.run_if if task.task_key != "s13_report"]) == toset(["ALL_SUCCESS"])
    error_message = "A task other than the report may run after a failure."
  }
}

run "job_cluster_is_a_single_node_with_the_ml_runtime" {
  command = plan

  assert {
    condition     = alltrue([for task in databricks_job.this.task : task.job_cluster_key == databricks_job.this.job_cluster[0].job_cluster_key])
    error_message = "A task does not run on the job cluster."
  }

  assert {
    condition = alltrue([
      for cluster in databricks_job.this.job_cluster[*].new_cluster[0] : (
        cluster.kind == "CLASSIC_PREVIEW" && cluster.is_single_node && cluster.use_ml_runtime &&
        cluster.num_workers == null && cluster.spark_conf == null && cluster.data_security_mode == "DATA_SECURITY_MODE_DEDICATED"
      )
    ])
    error_message = "The job cluster is not spelled as one dedicated node with the ML runtime."
  }

  assert {
    condition     = length(databricks_job.this.job_cluster) == 1 && length(databricks_job.this.environment) == 0 && output.vcpus == 4
    error_message = "There is not one job cluster of 4 vCPUs, and no serverless environment."
  }
}

run "job_cluster_with_workers_is_no_single_node" {
  command = plan

  variables {
    num_workers = 2
    vcpu_quota  = 12
  }

  assert {
    condition     = !databricks_job.this.job_cluster[0].new_cluster[0].is_single_node && databricks_job.this.job_cluster[0].new_cluster[0].num_workers == 2
    error_message = "The job cluster with two workers is still spelled as a single node."
  }

  assert {
    condition     = output.vcpus == 12
    error_message = "A driver and two workers of 4 vCPUs are not counted as 12."
  }
}

run "job_cluster_has_the_environment_variables" {
  command = plan

  variables {
    spark_env_vars = { GAUNTLET_DATA_DIR = "/Volumes/main/wine_quality/files/data" }
  }

  assert {
    condition     = databricks_job.this.job_cluster[0].new_cluster[0].spark_env_vars["GAUNTLET_DATA_DIR"] == "/Volumes/main/wine_quality/files/data"
    error_message = "The job cluster does not have the variable GAUNTLET_DATA_DIR."
  }
}

run "existing_cluster_gets_the_tasks_and_their_libraries" {
  command = plan

  variables {
    compute             = "existing_cluster"
    existing_cluster_id = "1114-100000-abcd1234"
    pypi_packages       = ["skops==0.16.0"]
  }

  assert {
    condition = alltrue([
      for task in databricks_job.this.task :
      task.existing_cluster_id == "1114-100000-abcd1234" && task.job_cluster_key == null && task.environment_key == null
    ])
    error_message = "A task does not run on the existing cluster alone."
  }

  assert {
    condition = alltrue([
      for task in databricks_job.this.task :
      length(task.library) == 2 && task.library[0].whl == var.wheel && task.library[1].pypi[0].package == "skops==0.16.0"
    ])
    error_message = "A task does not install the wheel and then the libraries."
  }

  assert {
    condition     = length(databricks_job.this.job_cluster) == 0 && length(databricks_job.this.environment) == 0 && output.vcpus == 0
    error_message = "Compute is made, or counted, beside the existing cluster."
  }
}

run "existing_cluster_is_held_against_no_quota" {
  command = plan

  variables {
    compute             = "existing_cluster"
    existing_cluster_id = "1114-100000-abcd1234"
    vcpu_quota          = 1
  }

  assert {
    condition     = length(databricks_job.this.task) == 13
    error_message = "The tasks are not planned."
  }
}

run "serverless_environment_holds_the_wheel_and_the_libraries" {
  command = plan

  variables {
    compute       = "serverless"
    pypi_packages = ["skops==0.16.0"]
  }

  assert {
    condition     = databricks_job.this.environment[0].spec[0].dependencies == tolist([var.wheel, "skops==0.16.0"])
    error_message = "The serverless environment does not install the wheel and then the libraries."
  }

  assert {
    condition = alltrue([
      for task in databricks_job.this.task : (
        task.environment_key == databricks_job.this.environment[0].environment_key && length(task.library) == 0 &&
        task.job_cluster_key == null && task.existing_cluster_id == null
      )
    ])
    error_message = "A task does not run in the serverless environment alone."
  }
}

run "serverless_repeats_no_task_by_itself" {
  command = plan

  variables {
    compute = "serverless"
  }

  assert {
    condition     = alltrue(databricks_job.this.task[*].disable_auto_optimization)
    error_message = "Serverless compute would try a task again that is to be tried once."
  }
}

run "schedule_is_paused_until_it_is_told_otherwise" {
  command = plan

  variables {
    schedule = { quartz_cron_expression = "0 30 4 ? * MON-FRI" }
  }

  assert {
    condition     = databricks_job.this.schedule[0].pause_status == "PAUSED" && databricks_job.this.schedule[0].timezone_id == "UTC"
    error_message = "A new schedule is not paused, or not in UTC."
  }
}

run "schedule_runs_when_it_is_not_paused" {
  command = plan

  variables {
    schedule = { quartz_cron_expression = "0 0/15 8-18 1,15 JAN-JUN ?", timezone_id = "Europe/Berlin", paused = false }
  }

  assert {
    condition     = databricks_job.this.schedule[0].pause_status == "UNPAUSED" && databricks_job.this.schedule[0].timezone_id == "Europe/Berlin"
    error_message = "The schedule does not run in the time zone that was asked for."
  }
}

run "nothing_runs_by_itself_without_a_schedule" {
  command = plan

  assert {
    condition     = length(databricks_job.this.schedule) == 0 && length(databricks_job.this.run_as) == 0 && length(databricks_job.this.email_notifications) == 0
    error_message = "The job has a schedule, an identity or notifications that nobody gave."
  }
}

run "runs_as_the_service_principal_and_tells_of_failures" {
  command = plan

  variables {
    run_as        = { service_principal_name = "5f8c5d3a-0000-4000-8000-000000000001" }
    notifications = { on_failure = ["ml-team@example.com"] }
  }

  assert {
    condition     = databricks_job.this.run_as[0].service_principal_name == var.run_as.service_principal_name && databricks_job.this.run_as[0].user_name == null
    error_message = "The job does not run as the service principal alone."
  }

  assert {
    condition     = databricks_job.this.email_notifications[0].on_failure == tolist(["ml-team@example.com"])
    error_message = "Nobody is told of a failure."
  }
}

run "permissions_are_of_this_job" {
  command = apply

  variables {
    permissions = { groups = { ml-engineers = "CAN_MANAGE_RUN" } }
  }

  assert {
    condition     = databricks_permissions.this[0].job_id == output.job_id && output.job_id == "1021"
    error_message = "The permissions are not those of this job."
  }
}
