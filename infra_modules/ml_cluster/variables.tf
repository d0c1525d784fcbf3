variable "name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^\\S(.{0,98}\\S)?$", var.name))
    error_message = "The cluster's name must have 1 to 100 characters and neither begin nor end with a space; it is \"${var.name}\"."
  }
}

# ---- what runs ----

variable "spark_version" {
  description = "Databricks runtime in its plain form, such as 16.4.x-scala2.12: that it is the ML runtime is said by use_ml_runtime, which this module sets. Null asks the workspace for the newest ML runtime with long-term support, which may be another one at the next plan."
  type        = string
  default     = null

  validation {
    condition     = !can(regex("-(ml|photon)-", coalesce(var.spark_version, "none")))
    error_message = "spark_version must name the plain runtime, without -cpu-ml-, -gpu-ml- or -photon-: the module asks for the ML runtime by use_ml_runtime and for Photon by runtime_engine. It is \"${coalesce(var.spark_version, "null")}\"; write \"${replace(coalesce(var.spark_version, "null"), "/-((cpu|gpu)-ml|photon)-/", "-")}\"."
  }

  validation {
    condition     = var.spark_version == null || can(regex("^[0-9]+(\\.[0-9]+)?\\.x-([a-z]+-)*scala2\\.[0-9]+$", var.spark_version))
    error_message = "spark_version must have the form 16.4.x-scala2.12 (see `databricks clusters spark-versions`); it is \"${coalesce(var.spark_version, "null")}\"."
  }
}

variable "runtime_engine" {
  description = "STANDARD, or PHOTON, which costs more and does not speed up scikit-learn or XGBoost."
  type        = string
  default     = "STANDARD"
  nullable    = false

  validation {
    condition     = contains(["STANDARD", "PHOTON"], var.runtime_engine)
    error_message = "runtime_engine must be STANDARD or PHOTON; it is \"${var.runtime_engine}\"."
  }
}

variable "pypi_packages" {
  description = "Packages from PyPI to install, each as pip takes it, for example \"hyperopt==0.2.7\"."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for package in var.pypi_packages : can(regex("^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\\[[A-Za-z0-9,._-]+\\])?((==|>=|<=|~=|!=|<|>)[A-Za-z0-9.*+!]+(,(==|>=|<=|~=|!=|<|>)[A-Za-z0-9.*+!]+)*)?$", package))])
    error_message = "pypi_packages must be names with an optional version, such as \"hyperopt==0.2.7\", without spaces, options or addresses; they are: ${join(", ", var.pypi_packages)}."
  }
}

variable "wheels" {
  description = "Wheel files to install, by their path on a volume (/Volumes/…), in the workspace (/Workspace/…) or on storage (abfss://…)."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for wheel in var.wheels : can(regex("^(/Volumes/|/Workspace/|abfss://)\\S+\\.whl$", wheel))])
    error_message = "wheels must be paths under /Volumes/, /Workspace/ or abfss:// that end in .whl (newer runtimes install nothing from DBFS); they are: ${join(", ", var.wheels)}."
  }
}

variable "spark_conf" {
  description = "Spark's configuration. The keys of a single node are set by Databricks itself and are refused here."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.spark_conf), ["spark.databricks.cluster.profile", "spark.master"])) == 0
    error_message = "spark_conf must not hold spark.databricks.cluster.profile or spark.master: they are the older spelling of a single node, which the API refuses beside an access mode. Take them out; num_workers = 0 makes a single node."
  }
}

variable "spark_env_vars" {
  description = "Environment variables of the cluster's processes. A secret belongs in a scope and is named as {{secrets/SCOPE/KEY}}."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.spark_env_vars) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "The names in spark_env_vars must be letters, digits and underscores and not begin with a digit; they are: ${join(", ", keys(var.spark_env_vars))}."
  }
}

# ---- what it runs on ----

variable "node_type" {
  description = "Azure VM size of the driver and the workers."
  type        = string
  default     = "Standard_DS3_v2"
  nullable    = false

  validation {
    condition     = can(regex("^Standard_[A-Z][A-Za-z0-9_-]+$", var.node_type))
    error_message = "node_type must be an Azure VM size such as Standard_DS3_v2; it is \"${var.node_type}\"."
  }
}

variable "node_min_cores" {
  description = "Instead of node_type: the workspace is asked for its smallest VM size with so many cores and a local disk. Null keeps to node_type."
  type        = number
  default     = null

  validation {
    condition     = var.node_min_cores == null ? true : var.node_min_cores >= 1 && floor(var.node_min_cores) == var.node_min_cores
    error_message = "node_min_cores must be a whole number of at least 1; it is ${coalesce(var.node_min_cores, 0)}."
  }
}

variable "node_vcpus" {
  description = "vCPUs of one node, for a VM size that the module's table (modules/cluster_size/node_types.tf) does not have. Null looks the size up there."
  type        = number
  default     = null

  validation {
    condition     = var.node_vcpus == null ? true : var.node_vcpus >= 1 && floor(var.node_vcpus) == var.node_vcpus
    error_message = "node_vcpus must be a whole number of at least 1; it is ${coalesce(var.node_vcpus, 0)}."
  }
}

variable "num_workers" {
  description = "Number of workers besides the driver. 0 makes a single node, on which Spark runs inside the driver."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.num_workers >= 0 && floor(var.num_workers) == var.num_workers
    error_message = "num_workers must be a whole number of at least 0; it is ${var.num_workers}."
  }
}

variable "autoscale" {
  description = "Fewest and most workers, between which Databricks chooses by load. Null keeps to num_workers."
  type        = object({ min_workers = number, max_workers = number })
  default     = null

  validation {
    condition     = var.autoscale == null ? true : alltrue([for count in values(var.autoscale) : count >= 1 && floor(count) == count])
    error_message = "autoscale must have whole numbers of at least 1; they are ${join(" and ", values(coalesce(var.autoscale, { max_workers = 0, min_workers = 0 })))}."
  }

  validation {
    condition     = var.autoscale == null ? true : var.autoscale.max_workers > var.autoscale.min_workers
    error_message = "autoscale.max_workers must be more than min_workers; use num_workers for a fixed number."
  }

  validation {
    condition     = var.autoscale == null || var.num_workers == 0
    error_message = "autoscale and num_workers exclude each other: leave num_workers at 0 beside autoscale; it is ${var.num_workers}."
  }
}

variable "vcpu_quota" {
  description = "vCPUs that the subscription may run at once in the workspace's region (Azure portal, Quotas, \"Total Regional vCPUs\"). 4 is the free trial's. What is larger is refused at plan time instead of failing while it starts."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.vcpu_quota >= 1 && floor(var.vcpu_quota) == var.vcpu_quota
    error_message = "vcpu_quota must be a whole number of at least 1; it is ${var.vcpu_quota}."
  }
}

variable "availability" {
  description = "Kind of VMs after the first first_on_demand: ON_DEMAND_AZURE, SPOT_AZURE (may be taken away), or SPOT_WITH_FALLBACK_AZURE (spot while there is, else on demand). The free trial has no spot VMs."
  type        = string
  default     = "ON_DEMAND_AZURE"
  nullable    = false

  validation {
    condition     = contains(["ON_DEMAND_AZURE", "SPOT_AZURE", "SPOT_WITH_FALLBACK_AZURE"], var.availability)
    error_message = "availability must be ON_DEMAND_AZURE, SPOT_AZURE or SPOT_WITH_FALLBACK_AZURE; it is \"${var.availability}\"."
  }
}

variable "first_on_demand" {
  description = "Number of nodes, driver first, that are never spot VMs."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.first_on_demand >= 1 && floor(var.first_on_demand) == var.first_on_demand
    error_message = "first_on_demand must be a whole number of at least 1, because Azure Databricks keeps the driver on demand; it is ${var.first_on_demand}."
  }
}

variable "spot_bid_max_price" {
  description = "Most that a spot VM may cost, in US dollars an hour; -1 is up to the price on demand, so that a VM is never taken away for its price."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.spot_bid_max_price == -1 || var.spot_bid_max_price > 0
    error_message = "spot_bid_max_price must be -1 or above 0; it is ${var.spot_bid_max_price}."
  }

  validation {
    condition     = var.spot_bid_max_price == -1 || var.availability != "ON_DEMAND_AZURE"
    error_message = "spot_bid_max_price has no effect on VMs that are on demand: set availability to SPOT_AZURE or SPOT_WITH_FALLBACK_AZURE, or leave the price at -1."
  }
}

variable "autotermination_minutes" {
  description = "Minutes without work after which the cluster stops."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.autotermination_minutes >= 10 && var.autotermination_minutes <= 10000 && floor(var.autotermination_minutes) == var.autotermination_minutes
    error_message = "autotermination_minutes must be a whole number from 10 to 10000; it is ${var.autotermination_minutes}. 0, which would keep the cluster running and billed for ever, is refused."
  }
}

variable "is_pinned" {
  description = "Whether the cluster is kept in the list when it has not run for 30 days; needs a workspace administrator."
  type        = bool
  default     = false
  nullable    = false
}

# ---- who may use it ----

variable "single_user_name" {
  description = "User, service principal (application id) or group for whom the cluster works: the ML runtime needs dedicated access mode. Null takes whoever runs Terraform."
  type        = string
  default     = null

  validation {
    condition     = var.single_user_name == null || can(regex("^\\S(.*\\S)?$", var.single_user_name))
    error_message = "single_user_name must be the name of a user, service principal or group, without spaces around it; it is \"${coalesce(var.single_user_name, "null")}\"."
  }
}

variable "permissions" {
  description = "Who else may see and manage the cluster: names to CAN_ATTACH_TO, CAN_RESTART or CAN_MANAGE. It replaces the permissions that the cluster has, save those of administrators and its owner; empty leaves them."
  type = object({
    users              = optional(map(string), {})
    groups             = optional(map(string), {})
    service_principals = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for level in flatten([for levels in values(var.permissions) : values(levels)]) : contains(["CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"], level)])
    error_message = "A cluster's permissions must be CAN_ATTACH_TO, CAN_RESTART or CAN_MANAGE; they are: ${join(", ", flatten([for levels in values(var.permissions) : values(levels)]))}."
  }
}

variable "custom_tags" {
  description = "Tags of the cluster's VMs and disks, for the bill."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.custom_tags), "ResourceClass")
    error_message = "custom_tags must not hold ResourceClass: it is the older spelling of a single node, and Databricks sets it itself. Take it out; num_workers = 0 makes a single node."
  }
}

# ---- cluster policy ----

variable "policy" {
  description = "A cluster policy to make, which holds whoever clicks a cluster of their own to this module's limits: its VM size, quota, autotermination and tags. definition is JSON whose rules go before these; user_groups may use the policy. Null makes none."
  type = object({
    name                  = string
    max_clusters_per_user = optional(number, 1)
    definition            = optional(string, "{}")
    user_groups           = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.policy == null ? true : can(regex("^\\S(.{0,98}\\S)?$", var.policy.name))
    error_message = "policy.name must have 1 to 100 characters and neither begin nor end with a space."
  }

  validation {
    condition     = var.policy == null ? true : var.policy.max_clusters_per_user >= 1 && floor(var.policy.max_clusters_per_user) == var.policy.max_clusters_per_user
    error_message = "policy.max_clusters_per_user must be a whole number of at least 1."
  }

  validation {
    condition     = var.policy == null ? true : can(keys(jsondecode(var.policy.definition)))
    error_message = "policy.definition must be a JSON object of rules; make it with jsonencode."
  }
}

variable "policy_id" {
  description = "An existing cluster policy for the cluster. Null for none, or for the one that policy makes."
  type        = string
  default     = null

  validation {
    condition     = var.policy_id == null || var.policy == null
    error_message = "policy and policy_id exclude each other: a cluster has one policy. Leave one of them null."
  }
}
