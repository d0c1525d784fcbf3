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
  description = "Azure region of the account, by its short name (westeurope, not West Europe)."

  validation {
    condition     = can(regex("^[a-z][a-z0-9]+$", var.location))
    error_message = "location is \"${var.location}\"; the short name of a region has lower-case letters and digits only. `az account list-locations --query [].name --output tsv` lists them."
  }
}

variable "resource_group_name" {
  type        = string
  default     = "terraform-state"
  nullable    = false
  description = "Name of a resource group of its own, which is made."
}

variable "storage_account_name" {
  type        = string
  nullable    = false
  description = "Name of the account; no other account in Azure may have it."

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.storage_account_name))
    error_message = "storage_account_name is \"${var.storage_account_name}\"; Azure wants 3 to 24 lower-case letters and digits, so no capitals, hyphens or underscores."
  }
}

variable "container_name" {
  type        = string
  default     = "tfstate"
  nullable    = false
  description = "Name of the container for all state files."
}

variable "writer_ids" {
  type        = set(string)
  nullable    = false
  description = "Object ids of the people, groups and pipelines that run Terraform; `az ad signed-in-user show --query id --output tsv` prints yours."

  validation {
    condition     = length(var.writer_ids) > 0 && alltrue([for id in var.writer_ids : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", id))])
    error_message = "writer_ids is ${jsonencode(var.writer_ids)}; give at least one object id (`az ad signed-in-user show --query id --output tsv`): the account takes no keys, so nobody else could write the state."
  }
}

variable "allowed_ip_ranges" {
  type        = set(string)
  default     = null
  description = "Public addresses that may reach the account; null lets every address try, with the login of a writer."
}

variable "tags" {
  type        = map(string)
  default     = {}
  nullable    = false
  description = "Tags of everything that can have tags."
}
