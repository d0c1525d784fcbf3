variable "subscription_id" {
  type        = string
  nullable    = false
  description = "Id of the Azure subscription; `az account show --query id --output tsv` prints it."

  validation {
    condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.subscription_id))
    error_message = "subscription_id is \"${var.subscription_id}\", not an id of the form 00000000-0000-0000-0000-000000000000; `az account show --query id --output tsv` prints yours."
  }
}

variable "location" {
  type        = string
  nullable    = false
  description = "Azure region of everything, by its short name (westeurope, not West Europe)."
}

variable "further_regions" {
  type        = set(string)
  default     = []
  nullable    = false
  description = "Short names of regions that are newer than the modules' list."
}

variable "resource_group_name" {
  type        = string
  nullable    = false
  description = "Name of the resource group that is made for everything."
}

variable "storage_account_name" {
  type        = string
  nullable    = false
  description = "Name of the storage account for the data; no other account in Azure may have it."
}

variable "workspace_name" {
  type        = string
  nullable    = false
  description = "Name of the Databricks workspace."
}

variable "preset" {
  type        = string
  default     = "dev"
  nullable    = false
  description = "dev for a trial subscription; hardened for data that matters, reached from inside a network alone."

  validation {
    condition     = var.preset != "hardened" || var.network_address_space != null && var.private_dns_zone_ids != null
    error_message = "preset = \"hardened\" closes the storage account and the workspace to the internet; give network_address_space and private_dns_zone_ids too, or clusters could not reach the data."
  }
}

variable "sku" {
  type        = string
  default     = "premium"
  nullable    = false
  description = "Pricing tier of the workspace: premium, or trial for its first 14 days."
}

# Not taken from the tier: a trial that is upgraded would lose its workspace, which a change of this makes anew.
variable "infrastructure_encryption_enabled" {
  type        = bool
  default     = true
  nullable    = false
  description = "Whether the workspace's own storage is encrypted a second time. The trial tier needs false, and a workspace keeps for good what it was made with."
}

variable "network_address_space" {
  type        = string
  default     = null
  description = "Range of a network made for the workspace, from /16 to /24; null leaves the network to Databricks."
}

variable "private_dns_zone_ids" {
  type        = object({ blob = string, dfs = string, databricks = string })
  default     = null
  description = "Ids of the zones privatelink.{blob,dfs}.core.windows.net and privatelink.azuredatabricks.net, linked to the network; null makes no private endpoints."

  validation {
    condition     = var.private_dns_zone_ids == null || var.network_address_space != null
    error_message = "private_dns_zone_ids are for endpoints in a network of yours; give network_address_space too."
  }
}

variable "lock_enabled" {
  type        = bool
  default     = null
  description = "Whether a management lock keeps the storage account from being deleted; null for what the preset says."
}

variable "budget" {
  type = object({
    amount         = number
    start_date     = string
    contact_emails = list(string)
    thresholds     = optional(list(number), [80, 100])
  })
  default     = null
  description = "Monthly budget of the resource group and who is written to; null makes none."
}

variable "tags" {
  type        = map(string)
  default     = {}
  nullable    = false
  description = "Tags of everything that can have tags."
}
