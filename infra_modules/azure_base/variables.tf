variable "preset" {
  type        = string
  default     = "hardened"
  nullable    = false
  description = "How strictly the storage account is set up: hardened for data that matters, dev for a trial subscription. The README lists each difference."

  validation {
    condition     = contains(["dev", "hardened"], var.preset)
    error_message = "preset is \"${var.preset}\"; there are two presets, dev and hardened."
  }
}

variable "location" {
  type        = string
  nullable    = false
  description = "Azure region of everything made here, by its short name (westeurope, not West Europe)."

  validation {
    condition = contains(local.regions, var.location)
    # A misspelt region most often has the right start, or the right letters in another order ("useast").
    error_message = format(
      "location is \"%s\", which is no Azure region known here. Names like it: %s. `az account list-locations --query [].name --output tsv` lists all; one that is newer than this module goes into further_regions as well.",
      var.location,
      coalesce(join(", ", flatten([
        for letters in [lower(replace(var.location, "/[^A-Za-z0-9]/", ""))] : [
          for region in local.regions : region
          if startswith(region, substr(letters, 0, 4)) || join("", sort(split("", region))) == join("", sort(split("", letters)))
        ]
      ])), "none"),
    )
  }
}

variable "further_regions" {
  type        = set(string)
  default     = []
  nullable    = false
  description = "Short names of regions that this module's list (regions.json) does not have yet."

  validation {
    condition     = alltrue([for region in var.further_regions : can(regex("^[a-z][a-z0-9]+$", region))])
    error_message = "further_regions has ${join(", ", [for region in var.further_regions : "\"${region}\"" if !can(regex("^[a-z][a-z0-9]+$", region))])}; the short name of a region has lower-case letters and digits only."
  }
}

variable "resource_group_name" {
  type        = string
  nullable    = false
  description = "Name of the resource group that holds everything."

  validation {
    condition     = can(regex("^[-\\w.()]{0,89}[-\\w()]$", var.resource_group_name))
    error_message = "resource_group_name is \"${var.resource_group_name}\"; Azure wants 1 to 90 letters, digits, hyphens, underscores, dots or brackets, and no dot at the end."
  }
}

variable "create_resource_group" {
  type        = bool
  default     = true
  nullable    = false
  description = "Whether the resource group is made here; false looks up one that exists."
}

variable "storage_account_name" {
  type        = string
  nullable    = false
  description = "Name of the storage account; no other account of anybody in Azure may have it."

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.storage_account_name))
    error_message = "storage_account_name is \"${var.storage_account_name}\"; Azure wants 3 to 24 lower-case letters and digits, so no capitals, hyphens or underscores.${can(regex("^[a-z0-9]{3,24}$", lower(replace(var.storage_account_name, "/[-_]/", "")))) ? " This would do: \"${lower(replace(var.storage_account_name, "/[-_]/", ""))}\"." : ""}"
  }
}

variable "container_names" {
  type        = set(string)
  default     = ["unity-catalog"]
  nullable    = false
  description = "Names of the private containers made in the account."

  validation {
    condition     = alltrue([for name in var.container_names : can(regex("^[a-z0-9](-?[a-z0-9])+$", name)) && length(name) >= 3 && length(name) <= 63])
    error_message = "container_names has ${join(", ", [for name in var.container_names : "\"${name}\"" if !(can(regex("^[a-z0-9](-?[a-z0-9])+$", name)) && length(name) >= 3 && length(name) <= 63)])}; a container's name has 3 to 63 lower-case letters, digits and single hyphens, and begins and ends with a letter or digit."
  }
}

variable "access_connector_name" {
  type        = string
  default     = null
  description = "Name of the access connector, through which Databricks reaches the account; null names it after the account."

  validation {
    condition     = var.access_connector_name == null || can(regex("^[A-Za-z0-9_-]{3,64}$", var.access_connector_name))
    error_message = "access_connector_name is \"${coalesce(var.access_connector_name, " ")}\"; Azure wants 3 to 64 letters, digits, hyphens or underscores."
  }
}

variable "replication_type" {
  type        = string
  default     = null
  description = "How many copies of the data are kept, and where; null for what the preset says."

  validation {
    condition     = var.replication_type == null || contains(["LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"], coalesce(var.replication_type, " "))
    error_message = "replication_type is \"${coalesce(var.replication_type, " ")}\"; Azure has LRS, ZRS, GRS, RAGRS, GZRS and RAGZRS."
  }
}

variable "retention_days" {
  type        = number
  default     = null
  description = "Days for which deleted blobs and containers can be brought back; null for what the preset says."

  validation {
    condition     = var.retention_days == null || contains(range(1, 366), coalesce(var.retention_days, 0))
    error_message = "retention_days is ${coalesce(var.retention_days, 0)}; Azure keeps what was deleted for 1 to 365 whole days."
  }
}

variable "lock_enabled" {
  type        = bool
  default     = null
  description = "Whether a management lock keeps the account from being deleted; null for what the preset says."
}

variable "public_network_access_enabled" {
  type        = bool
  default     = null
  description = "Whether the account answers outside private endpoints at all; null for what the preset says."
}

variable "allowed_networks" {
  type = object({
    ip_ranges  = optional(set(string), [])
    subnet_ids = optional(set(string), [])
  })
  default     = {}
  nullable    = false
  description = "Public addresses and subnets (with a service endpoint for storage) that an account which denies by default lets in."

  validation {
    condition = alltrue([
      for range in var.allowed_networks.ip_ranges :
      can(cidrhost(strcontains(range, "/") ? range : "${range}/32", 0)) && can(regex("^[0-9.]+(/([0-9]|[12][0-9]|30))?$", range)) && !can(regex("^(10|127|192\\.168|169\\.254|172\\.(1[6-9]|2[0-9]|3[01]))\\.", range))
    ])
    error_message = "allowed_networks.ip_ranges is ${jsonencode(var.allowed_networks.ip_ranges)}; Azure wants public IPv4 addresses, or ranges of them up to /30 (one or two addresses are written without a slash)."
  }

  validation {
    condition     = alltrue([for id in var.allowed_networks.subnet_ids : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$", id))])
    error_message = "allowed_networks.subnet_ids is ${jsonencode(var.allowed_networks.subnet_ids)}; each must be the full id of a subnet (/subscriptions/…/virtualNetworks/…/subnets/…)."
  }

  validation {
    condition = (
      length(var.allowed_networks.ip_ranges) + length(var.allowed_networks.subnet_ids) == 0
      || var.preset == "hardened" && var.public_network_access_enabled == true
    )
    error_message = "allowed_networks would have no effect: the dev preset lets everybody in, and an account without public network access lets in private endpoints only. Use it with preset = \"hardened\" and public_network_access_enabled = true, or leave it out."
  }
}

variable "private_endpoint" {
  type = object({
    subnet_id            = string
    private_dns_zone_ids = object({ blob = string, dfs = string })
  })
  default     = null
  description = "Subnet for the account's private endpoints, and the ids of the zones privatelink.blob.core.windows.net and privatelink.dfs.core.windows.net; null makes none."

  validation {
    condition = var.private_endpoint == null || alltrue([
      for service in ["blob", "dfs"] :
      can(regex("/privateDnsZones/privatelink\\.${service}\\.core\\.windows\\.net$", var.private_endpoint.private_dns_zone_ids[service]))
    ])
    error_message = "private_endpoint.private_dns_zone_ids must be the full ids of the zones privatelink.blob.core.windows.net (blob) and privatelink.dfs.core.windows.net (dfs); with other zones the account's name would not lead to its private address."
  }
}

variable "budget" {
  type = object({
    amount         = number
    start_date     = string
    contact_emails = list(string)
    thresholds     = optional(list(number), [80, 100])
  })
  default     = null
  description = "Monthly budget of the resource group, in the subscription's currency, and who is written to at which percentages of it; null makes none."

  validation {
    condition     = try(var.budget.amount, 1) >= 1
    error_message = "budget.amount is ${try(var.budget.amount, 1)}; a budget is at least 1 in the subscription's currency."
  }

  validation {
    condition     = can(regex("^20[0-9]{2}-(0[1-9]|1[0-2])-01T00:00:00Z$", try(var.budget.start_date, "2026-01-01T00:00:00Z")))
    error_message = "budget.start_date is \"${try(var.budget.start_date, "")}\"; Azure wants the first of a month, written like 2026-01-01T00:00:00Z."
  }

  validation {
    condition     = var.budget == null || length(try(var.budget.contact_emails, [])) > 0 && alltrue([for email in try(var.budget.contact_emails, []) : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "budget.contact_emails is ${jsonencode(try(var.budget.contact_emails, []))}; a budget alerts somebody, so give at least one address of the form name@example.com."
  }

  validation {
    condition     = var.budget == null || length(try(var.budget.thresholds, [])) >= 1 && length(try(var.budget.thresholds, [])) <= 5 && alltrue([for threshold in try(var.budget.thresholds, []) : contains(range(1, 1001), threshold)])
    error_message = "budget.thresholds is ${jsonencode(try(var.budget.thresholds, []))}; give one to five whole percentages from 1 to 1000."
  }
}

variable "tags" {
  type        = map(string)
  default     = {}
  nullable    = false
  description = "Tags of everything that can have tags."

  validation {
    condition     = length(var.tags) <= 50 && alltrue([for key, value in var.tags : can(regex("^[^<>%&\\\\?/]{1,128}$", key)) && length(value) <= 256])
    error_message = "tags is ${jsonencode(var.tags)}; Azure takes 50 of them, with keys of 1 to 128 characters other than < > % & \\ ? / (a storage account's limit) and values of up to 256."
  }
}
