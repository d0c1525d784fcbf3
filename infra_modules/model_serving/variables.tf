variable "name" {
  description = "Name of the endpoint; a new name makes a new endpoint."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$", var.name))
    error_message = "\"${var.name}\" is no endpoint's name: write at most 63 letters, digits, dashes and underscores, with a letter or digit at both ends."
  }
}

variable "model" {
  description = "Registered model in Unity Catalog, by its three-level name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_]+\\.[A-Za-z0-9_]+\\.[A-Za-z0-9_]+$", var.model))
    error_message = "\"${var.model}\" is no model of Unity Catalog: write CATALOG.SCHEMA.MODEL."
  }
}

variable "sku" {
  description = "SKU of the workspace (standard, premium or trial), as the stack that made it says; serving needs premium, or the trial of it."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["standard", "premium", "trial"], var.sku)
    error_message = "There is no workspace SKU \"${var.sku}\": it is standard, premium or trial, in lower case."
  }
}

# What is served.

variable "champion_version" {
  description = "Version of the model that serves as champion. Null makes no endpoint: before the first promotion there is nothing to serve."
  type        = string
  default     = null

  validation {
    condition     = var.champion_version == null || can(regex("^[1-9][0-9]*$", var.champion_version))
    error_message = "The champion's version \"${var.champion_version == null ? "" : var.champion_version}\" is no version: give its number in the registry, for an endpoint follows no alias."
  }
}

variable "challenger_version" {
  description = "Version of the model that serves beside the champion. Null sends all requests to the champion."
  type        = string
  default     = null

  validation {
    condition     = var.challenger_version == null || can(regex("^[1-9][0-9]*$", var.challenger_version))
    error_message = "The challenger's version \"${var.challenger_version == null ? "" : var.challenger_version}\" is no version: give its number in the registry, for an endpoint follows no alias."
  }

  validation {
    condition     = var.challenger_version == null || var.champion_version != null
    error_message = "A challenger_version is given without a champion_version: a challenger takes its requests from a champion, so give both."
  }

  validation {
    condition     = var.challenger_version == null || var.champion_version == null || var.challenger_version != var.champion_version
    error_message = "Version ${var.challenger_version == null ? "" : var.challenger_version} is champion and challenger at once: give two versions, or leave the challenger out."
  }
}

variable "challenger_percentage" {
  description = "Percentage of the requests that the challenger gets while there is one; the champion gets the rest."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.challenger_percentage >= 1 && var.challenger_percentage <= 99 && floor(var.challenger_percentage) == var.challenger_percentage
    error_message = "The challenger would get ${var.challenger_percentage} % of the requests: give a whole number from 1 to 99, so that both shares are whole and sum to 100."
  }
}

# On what.

variable "workload_size" {
  description = "How many requests each served version takes at once: Small (up to 4), Medium (8 to 16) or Large (16 to 64)."
  type        = string
  default     = "Small"
  nullable    = false

  validation {
    condition     = contains(["Small", "Medium", "Large"], var.workload_size)
    error_message = "There is no workload size \"${var.workload_size}\": choose Small, Medium or Large."
  }
}

variable "workload_type" {
  description = "Kind of the machines that serve: CPU, or one of the GPU kinds."
  type        = string
  default     = "CPU"
  nullable    = false

  validation {
    condition     = contains(["CPU", "GPU_SMALL", "GPU_MEDIUM", "GPU_LARGE", "MULTIGPU_MEDIUM"], var.workload_type)
    error_message = "There is no workload type \"${var.workload_type}\": choose CPU, GPU_SMALL, GPU_MEDIUM, GPU_LARGE or MULTIGPU_MEDIUM."
  }
}

variable "scale_to_zero" {
  description = "Whether a version without requests gives its machines back; the next request then waits for them."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment_variables" {
  description = "Environment variables of the served versions. A secret is given as a reference: {{secrets/SCOPE/KEY}}."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment_variables) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "An environment variable's name is not usable among ${jsonencode(keys(var.environment_variables))}: write letters, digits and underscores, no digit first."
  }

  validation {
    condition = alltrue([
      for name, value in var.environment_variables :
      !can(regex("(?i)(?:secret|password|token|api_?key)", name)) || can(regex("^\\{\\{secrets/[\\w.-]+/[\\w.-]+\\}\\}$", value))
    ])
    error_message = "An environment variable that sounds secret is given in clear among ${jsonencode(keys(var.environment_variables))}: put it into a secret scope and write {{secrets/SCOPE/KEY}}."
  }
}

# What is kept of it, and who is told.

variable "inference_table" {
  description = "Where requests and answers are kept: TABLE_NAME_PREFIX_payload in this catalog and schema. Null keeps none."
  type = object({
    catalog_name      = string
    schema_name       = string
    table_name_prefix = string
  })
  default = null

  validation {
    condition     = var.inference_table == null || try(alltrue([for name in values(var.inference_table) : can(regex("^[A-Za-z0-9_]+$", name))]), false)
    error_message = "The inference table's names are ${jsonencode(var.inference_table)}: write letters, digits and underscores in each."
  }
}

variable "notified_of_failed_updates" {
  description = "Mail addresses that are told when the endpoint could not be updated, so that it still serves the versions before."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.notified_of_failed_updates : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s.]+$", address))])
    error_message = "An address to notify is no mail address in ${jsonencode(var.notified_of_failed_updates)}: write it as somebody@example.com."
  }
}

variable "tags" {
  description = "Tags of the endpoint."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "permissions" {
  description = "Who else may see, use and manage the endpoint: names to CAN_VIEW, CAN_QUERY or CAN_MANAGE. It replaces the permissions that the endpoint has, save those of administrators and its owner; empty leaves them."
  type = object({
    users              = optional(map(string), {})
    groups             = optional(map(string), {})
    service_principals = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for level in flatten([for levels in values(var.permissions) : values(levels)]) : contains(["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"], level)])
    error_message = "An endpoint's permissions must be CAN_VIEW, CAN_QUERY or CAN_MANAGE; they are: ${join(", ", flatten([for levels in values(var.permissions) : values(levels)]))}."
  }
}
