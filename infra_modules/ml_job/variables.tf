variable "name" {
  description = "Name of the job, as it is shown in the workspace."
  type        = string
  nullable    = false

  validation {
    condition     = trimspace(var.name) == var.name && length(var.name) >= 1 && length(var.name) <= 200
    error_message = "The job's name \"${var.name}\" is not usable: give 1 to 200 characters without spaces at either end."
  }
}

# What runs.

variable "stages" {
  description = "Stages to run, one task each, in this order; each task waits for the one before."
  type        = list(string)
  default = [
    "ingest", "expectations", "explore", "split", "baseline", "register", "sweep", "select", "package", "judge",
    "promote", "score", "report",
  ]
  nullable = false

  validation {
    condition     = length(var.stages) >= 1 && length(var.stages) <= 99
    error_message = "There are ${length(var.stages)} stages: give 1 to 99, for the tasks' keys number them with two digits."
  }

  validation {
    condition     = alltrue([for stage in var.stages : can(regex("^[a-z][a-z0-9_]{0,49}$", stage))])
    error_message = "A stage's name is not usable in ${jsonencode(var.stages)}: write lower-case letters, digits and underscores, at most 50, a letter first."
  }

  validation {
    condition     = length(distinct(var.stages)) == length(var.stages)
    error_message = "A stage is named twice in ${jsonencode(var.stages)}: name each once."
  }

  validation {
    condition     = !contains(var.stages, "promote") || contains(slice(var.stages, 0, try(index(var.stages, "promote"), 0)), "judge")
    error_message = "The stage promote has no judge before it in ${jsonencode(var.stages)}: put judge before promote, or leave promote out; nothing is promoted unjudged."
  }
}

variable "wheel" {
  description = "Path of the wheel that holds the stages: in a volume or among the workspace's files."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^/(?:Volumes|Workspace)/\\S+\\.whl$", var.wheel))
    error_message = "The wheel \"${var.wheel}\" cannot be installed by a task: give the path of a .whl file that begins with /Volumes/ or /Workspace/."
  }
}

variable "package_name" {
  description = "Name of the wheel's distribution, as its metadata spells it."
  type        = string
  default     = "gauntlet_mlops"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$", var.package_name))
    error_message = "\"${var.package_name}\" is no distribution's name: write letters, digits, dots, dashes and underscores."
  }
}

variable "entry_point" {
  description = "Entry point of the wheel that runs one stage; it is called with the stage's name and options."
  type        = string
  default     = "gauntlet-stage"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]*$", var.entry_point))
    error_message = "\"${var.entry_point}\" is no entry point's name: write letters, digits, dots, dashes and underscores."
  }
}

variable "pypi_packages" {
  description = "Packages from PyPI to install beside the wheel, each pinned, for example \"skops==0.16.0\": a run in a year is then the same as one today."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for package in var.pypi_packages : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*(?:\\[[A-Za-z0-9,._-]+\\])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*$", package))
    ])
    error_message = "A package is not pinned in ${jsonencode(var.pypi_packages)}: write name==version, so that no run installs another version than the run before."
  }

  validation {
    condition = length(var.pypi_packages) == length(distinct([
      for package in var.pypi_packages : lower(replace(replace(split("[", split("==", package)[0])[0], "_", "-"), ".", "-"))
    ]))
    error_message = "A package is pinned twice in ${jsonencode(var.pypi_packages)}: pin each once."
  }
}

# What the stages are told.

variable "target" {
  description = "Where the stages run: the option --target of every task."
  type        = string
  default     = "databricks"
  nullable    = false

  validation {
    condition     = contains(["databricks", "remote", "local"], var.target)
    error_message = "There is no target \"${var.target}\": choose databricks, remote or local."
  }
}

variable "state_folder" {
  description = "Folder where the stages keep what they make for one another: the option --state. In a volume it outlives the compute, so that a repaired run goes on from where it was."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^/Volumes(?:/[^/\\s]+){4,}$", var.state_folder))
    error_message = "The state folder \"${var.state_folder}\" would be lost with the compute: give a folder in a volume, /Volumes/CATALOG/SCHEMA/VOLUME/FOLDER, without a slash at its end."
  }
}

variable "problem_file" {
  description = "Problem file to run: the option --problem. Null runs the problem that ships with the wheel."
  type        = string
  default     = null

  validation {
    condition     = var.problem_file == null || can(regex("^/(?:Volumes|Workspace)/\\S+\\.toml$", var.problem_file))
    error_message = "The problem file \"${var.problem_file == null ? "" : var.problem_file}\" cannot be read by a task: give the path of a .toml file that begins with /Volumes/ or /Workspace/."
  }
}

variable "synthetic_data" {
  description = "Whether generated data may stand in when no source can be read. A job that promotes should not allow it."
  type        = bool
  default     = false
  nullable    = false
}

variable "parameters" {
  description = "Further job parameters and their default values. Each is passed to every task as the option of its name (seed: --seed), and may be replaced for one run."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.parameters) : can(regex("^[a-z][a-z0-9_]*$", name))])
    error_message = "A parameter's name is not usable among ${jsonencode(keys(var.parameters))}: write lower-case letters, digits and underscores; an underscore becomes the dash of the option."
  }

  validation {
    condition     = length(setintersection(keys(var.parameters), ["problem", "state", "target", "no_synthetic"])) == 0
    error_message = "A parameter is the module's own among ${jsonencode(keys(var.parameters))}: use problem_file, state_folder, target and synthetic_data instead."
  }

  validation {
    condition     = alltrue([for value in values(var.parameters) : trimspace(value) != ""])
    error_message = "A parameter is empty among ${jsonencode(keys(var.parameters))}: its option would get no value; give one or leave the parameter out."
  }
}

# Where it runs.

variable "compute" {
  description = "Compute of the tasks: job_cluster (made for each run), existing_cluster (existing_cluster_id) or serverless."
  type        = string
  default     = "job_cluster"
  nullable    = false

  validation {
    condition     = contains(["job_cluster", "existing_cluster", "serverless"], var.compute)
    error_message = "There is no compute \"${var.compute}\": choose job_cluster, existing_cluster or serverless."
  }
}

variable "existing_cluster_id" {
  description = "Id of the cluster that runs the tasks when compute is existing_cluster, for example one made by hand. Null with every other compute."
  type        = string
  default     = null

  # compute says which one it is, and not this id, because the id of a cluster in the same plan is not known yet.
  validation {
    condition     = var.compute != "existing_cluster" || var.existing_cluster_id != null
    error_message = "compute is existing_cluster, but existing_cluster_id is null: give the cluster's id."
  }

  validation {
    condition     = var.compute == "existing_cluster" || var.existing_cluster_id == null
    error_message = "An existing_cluster_id is given, but compute is ${var.compute}: set compute = \"existing_cluster\", or leave the id out."
  }
}

variable "node_type" {
  description = "Azure VM size of the job cluster's nodes."
  type        = string
  default     = "Standard_DS3_v2"
  nullable    = false

  validation {
    condition     = can(regex("^Standard_[A-Za-z0-9_-]+$", var.node_type))
    error_message = "\"${var.node_type}\" is no Azure VM size: it begins with Standard_, for example Standard_DS3_v2."
  }
}

variable "num_workers" {
  description = "Number of workers of the job cluster besides its driver; 0 is a single node."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.num_workers >= 0 && floor(var.num_workers) == var.num_workers
    error_message = "num_workers is ${var.num_workers}: give a whole number, 0 for a single node."
  }
}

variable "spark_version" {
  description = "Databricks runtime of the job cluster, without -ml- in its name: the ML runtime is chosen by the module."
  type        = string
  default     = "17.3.x-scala2.13"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{2}\\.[0-9]+\\.x-scala2\\.1[23]$", var.spark_version))
    error_message = "\"${var.spark_version}\" is no plain runtime: write it as 17.3.x-scala2.13, without -cpu-ml- or -gpu-ml-."
  }
}

variable "availability" {
  description = "Which virtual machines the job cluster's workers take: on demand, spot, or spot with on demand in reserve. The driver is always on demand."
  type        = string
  default     = "ON_DEMAND_AZURE"
  nullable    = false

  validation {
    condition     = contains(["ON_DEMAND_AZURE", "SPOT_AZURE", "SPOT_WITH_FALLBACK_AZURE"], var.availability)
    error_message = "There is no availability \"${var.availability}\": choose ON_DEMAND_AZURE, SPOT_AZURE or SPOT_WITH_FALLBACK_AZURE."
  }
}

variable "spark_env_vars" {
  description = "Environment variables of the job cluster's processes. A secret belongs in a scope and is named as {{secrets/SCOPE/KEY}}."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.spark_env_vars) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "An environment variable's name is not usable among ${jsonencode(keys(var.spark_env_vars))}: write letters, digits and underscores, no digit first."
  }

  validation {
    condition     = length(var.spark_env_vars) == 0 || var.compute == "job_cluster"
    error_message = "spark_env_vars are for the job cluster, but compute is ${var.compute}: an existing cluster has its own, and serverless compute takes none; leave them out."
  }
}

variable "policy_id" {
  description = "Id of the cluster policy that the job cluster must obey. Null applies none."
  type        = string
  default     = null
}

variable "vcpu_quota" {
  description = "vCPUs that the subscription may run at once in the workspace's region; the plan refuses a job cluster that needs more. 4 is the free trial's."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.vcpu_quota >= 1 && floor(var.vcpu_quota) == var.vcpu_quota
    error_message = "The quota is ${var.vcpu_quota} vCPUs: give a whole number of at least 1."
  }
}

variable "node_vcpus" {
  description = "vCPUs of one node, for a size that the module ml_cluster does not list. Null looks the size up."
  type        = number
  default     = null

  validation {
    condition     = var.node_vcpus == null || try(var.node_vcpus >= 1 && floor(var.node_vcpus) == var.node_vcpus, false)
    error_message = "A node has ${var.node_vcpus == null ? 0 : var.node_vcpus} vCPUs: give a whole number of at least 1, or null to look the size up."
  }
}

variable "environment_version" {
  description = "Version of the serverless environment, which fixes its Python and its client libraries."
  type        = string
  default     = "4"
  nullable    = false

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.environment_version))
    error_message = "\"${var.environment_version}\" is no version of the serverless environment: write a whole number, for example 4."
  }
}

# When it runs, and what a failure does.

variable "schedule" {
  description = "When the job runs by itself: a Quartz expression (seconds first), its time zone, and whether it is paused. Null runs it only when it is asked to."
  type = object({
    quartz_cron_expression = string
    timezone_id            = optional(string, "UTC")
    paused                 = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.schedule == null || can(regex(local.quartz, try(var.schedule.quartz_cron_expression, "")))
    error_message = "\"${try(var.schedule.quartz_cron_expression, "")}\" is no Quartz expression: write second, minute, hour, day, month, weekday and perhaps the year, for example 0 30 4 * * ?"
  }

  validation {
    # Only of an expression in the right form: one mistake gets one message.
    condition = !can(regex(local.quartz, var.schedule.quartz_cron_expression)) || length([
      for field in [3, 5] : field if try(split(" ", var.schedule.quartz_cron_expression)[field], "") == "?"
    ]) == 1
    error_message = "\"${try(var.schedule.quartz_cron_expression, "")}\" does not say once which days it means: in a Quartz expression either the day or the weekday is ?, and the other is not."
  }

  validation {
    condition     = var.schedule == null || can(regex("^[A-Z][A-Za-z0-9+_-]*(?:/[A-Za-z0-9+_-]+)*$", try(var.schedule.timezone_id, "")))
    error_message = "\"${try(var.schedule.timezone_id, "")}\" is no time zone's name: write UTC or a name such as Europe/Berlin."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which a run of the job is stopped; 0 never stops it."
  type        = number
  default     = 14400
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 0 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds is ${var.timeout_seconds}: give a whole number of seconds, 0 for no limit."
  }
}

variable "task_timeout_seconds" {
  description = "Seconds after which one task is stopped; 0 never stops it."
  type        = number
  default     = 7200
  nullable    = false

  validation {
    condition     = var.task_timeout_seconds >= 0 && floor(var.task_timeout_seconds) == var.task_timeout_seconds
    error_message = "task_timeout_seconds is ${var.task_timeout_seconds}: give a whole number of seconds, 0 for no limit of its own."
  }

  validation {
    condition     = var.timeout_seconds == 0 || var.task_timeout_seconds <= var.timeout_seconds
    error_message = "A task may take ${var.task_timeout_seconds} s, longer than the whole job with ${var.timeout_seconds} s: lower task_timeout_seconds or raise timeout_seconds."
  }
}

variable "retries" {
  description = "How often a failed task is tried again, for failures of the compute. The stages in never_retried are tried once."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.retries >= 0 && var.retries <= 10 && floor(var.retries) == var.retries
    error_message = "A task would be tried again ${var.retries} times: give a whole number from 0 to 10."
  }
}

variable "never_retried" {
  description = "Stages whose no is an answer and no accident: they are tried once, whatever retries says."
  type        = set(string)
  default     = ["judge", "promote", "report"]
  nullable    = false

  validation {
    condition     = alltrue([for stage in ["judge", "promote"] : contains(var.never_retried, stage) || !contains(var.stages, stage)])
    error_message = "judge and promote must be in never_retried, which is ${jsonencode(var.never_retried)}: a candidate that was refused is not judged again until it passes."
  }
}

variable "always_run" {
  description = "Stages that run even after a stage before them failed. The report says what failed, and fails itself then, so that the run does not end as a success."
  type        = set(string)
  default     = ["report"]
  nullable    = false

  validation {
    condition     = !contains(var.always_run, "promote") && !contains(var.always_run, "score")
    error_message = "promote and score may not be in always_run, which is ${jsonencode(var.always_run)}: they must wait for a judgement that passed."
  }
}

variable "queue" {
  description = "Whether a run that is started while another runs waits for it; otherwise it is skipped."
  type        = bool
  default     = true
  nullable    = false
}

# Who runs it, who is told, who may see it.

variable "run_as" {
  description = "Whose rights the tasks have: a user's (user_name) or a service principal's (service_principal_name, its application id). Null means whoever makes the job."
  type = object({
    user_name              = optional(string)
    service_principal_name = optional(string)
  })
  default = null

  validation {
    condition     = var.run_as == null || try((var.run_as.user_name == null) != (var.run_as.service_principal_name == null), false)
    error_message = "run_as names no one or two: give exactly one of user_name and service_principal_name."
  }

  validation {
    condition     = try(var.run_as.service_principal_name, null) == null || can(regex("^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.run_as.service_principal_name))
    error_message = "\"${try(coalesce(var.run_as.service_principal_name, ""), "")}\" is no service principal: give its application id, a UUID in lower case, and not its display name."
  }
}

variable "notifications" {
  description = "Mail addresses that are told when a run starts, succeeds or fails."
  type = object({
    on_start   = optional(list(string), [])
    on_success = optional(list(string), [])
    on_failure = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for address in concat(var.notifications.on_start, var.notifications.on_success, var.notifications.on_failure) :
      can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s.]+$", address))
    ])
    error_message = "A notification's address is no mail address in ${jsonencode(var.notifications)}: write it as somebody@example.com."
  }
}

variable "tags" {
  description = "Tags of the job; its job cluster gets them too."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 25
    error_message = "There are ${length(var.tags)} tags: a job can have 25."
  }
}

variable "permissions" {
  description = "Who else may see, use and manage the job: names to CAN_VIEW, CAN_MANAGE_RUN or CAN_MANAGE. It replaces the permissions that the job has, save those of administrators and its owner; empty leaves them."
  type = object({
    users              = optional(map(string), {})
    groups             = optional(map(string), {})
    service_principals = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for level in flatten([for levels in values(var.permissions) : values(levels)]) : contains(["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE"], level)])
    error_message = "A job's permissions must be CAN_VIEW, CAN_MANAGE_RUN or CAN_MANAGE; they are: ${join(", ", flatten([for levels in values(var.permissions) : values(levels)]))}."
  }
}
