variable "name" {
  type        = string
  nullable    = false
  description = "Name of the workspace."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{3,64}$", var.name))
    error_message = "name is \"${var.name}\"; a workspace's name has 3 to 64 letters, digits, hyphens or underscores."
  }
}

variable "resource_group_name" {
  type        = string
  nullable    = false
  description = "Name of an existing resource group for the workspace and its network."

  validation {
    condition     = can(regex("^[-\\w.()]{0,89}[-\\w()]$", var.resource_group_name))
    error_message = "resource_group_name is \"${var.resource_group_name}\"; Azure wants 1 to 90 letters, digits, hyphens, underscores, dots or brackets, and no dot at the end."
  }
}

variable "location" {
  type        = string
  nullable    = false
  description = "Azure region, by its short name (westeurope, not West Europe)."

  validation {
    condition     = can(regex("^[a-z][a-z0-9]+$", var.location))
    error_message = "location is \"${var.location}\"; the short name of a region has lower-case letters and digits only. `az account list-locations --query [].name --output tsv` lists them."
  }
}

variable "sku" {
  type        = string
  default     = "premium"
  nullable    = false
  description = "Pricing tier: premium, or trial for its first 14 days. standard is known to Azure, but lacks what the pipeline stands on."

  validation {
    condition     = contains(["premium", "trial", "standard"], var.sku)
    error_message = "sku is \"${var.sku}\"; Azure has premium, trial and standard, in lower case."
  }
}

variable "managed_resource_group_name" {
  type        = string
  default     = null
  description = "Name of the group that Databricks makes for its own resources; null names it after the workspace."

  validation {
    condition     = var.managed_resource_group_name == null || can(regex("^[-\\w.()]{0,89}[-\\w()]$", var.managed_resource_group_name))
    error_message = "managed_resource_group_name is \"${coalesce(var.managed_resource_group_name, " ")}\"; Azure wants 1 to 90 letters, digits, hyphens, underscores, dots or brackets, and no dot at the end."
  }

  validation {
    condition     = var.managed_resource_group_name == null || lower(coalesce(var.managed_resource_group_name, " ")) != lower(var.resource_group_name)
    error_message = "managed_resource_group_name is also resource_group_name; Databricks makes and locks this group itself, so it needs a name of its own."
  }
}

variable "public_network_access_enabled" {
  type        = bool
  default     = true
  nullable    = false
  description = "Whether the workspace can be reached from the internet (with a login); false leaves private endpoints only."
}

variable "network_security_group_rules_required" {
  type        = string
  default     = null
  description = "Which rules Databricks adds to the network's security group; null adds all to a public workspace and none for the control plane to a private one."

  validation {
    condition     = var.network_security_group_rules_required == null || contains(["AllRules", "NoAzureDatabricksRules", "NoAzureServiceRules"], coalesce(var.network_security_group_rules_required, " "))
    error_message = "network_security_group_rules_required is \"${coalesce(var.network_security_group_rules_required, " ")}\"; Azure has AllRules, NoAzureDatabricksRules and NoAzureServiceRules."
  }

  validation {
    condition     = var.public_network_access_enabled || coalesce(var.network_security_group_rules_required, " ") != "AllRules"
    error_message = "network_security_group_rules_required = \"AllRules\" lets the control plane in from the internet, which a workspace without public network access refuses; use \"NoAzureDatabricksRules\", or leave it out."
  }
}

variable "infrastructure_encryption_enabled" {
  type        = bool
  default     = false
  nullable    = false
  description = "Whether the workspace's own storage is encrypted a second time; a change makes the workspace anew."

  validation {
    condition     = !var.infrastructure_encryption_enabled || var.sku == "premium"
    error_message = "infrastructure_encryption_enabled needs sku = \"premium\", and sku is \"${var.sku}\"."
  }
}

variable "storage_firewall_access_connector_id" {
  type        = string
  default     = null
  description = "Id of the access connector through which the workspace reaches its own storage once that is closed to all others; null leaves it open to those with a login."

  validation {
    condition     = var.storage_firewall_access_connector_id == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Databricks/accessConnectors/[^/]+$", var.storage_firewall_access_connector_id))
    error_message = "storage_firewall_access_connector_id is \"${coalesce(var.storage_firewall_access_connector_id, " ")}\"; it must be the full id of an access connector (/subscriptions/…/accessConnectors/…)."
  }

  validation {
    condition     = var.storage_firewall_access_connector_id == null || var.sku == "premium"
    error_message = "storage_firewall_access_connector_id needs sku = \"premium\", and sku is \"${var.sku}\"."
  }
}

variable "customer_managed_keys" {
  type = object({
    managed_services_key_id = optional(string)
    managed_disk_key_id     = optional(string)
    root_storage_enabled    = optional(bool, false)
  })
  default     = {}
  nullable    = false
  description = "Ids of your own keys (https://VAULT.vault.azure.net/keys/NAME/VERSION) for notebooks and secrets, and for cluster disks; root_storage_enabled prepares the workspace's storage for one."

  validation {
    condition = alltrue([
      for id in [var.customer_managed_keys.managed_services_key_id, var.customer_managed_keys.managed_disk_key_id] :
      id == null || can(regex("^https://[A-Za-z0-9-]{3,24}\\.vault\\.azure\\.net/keys/[A-Za-z0-9-]{1,127}/[0-9a-f]{32}$", id))
    ])
    error_message = "customer_managed_keys is ${jsonencode(var.customer_managed_keys)}; a key's id has its version: https://VAULT.vault.azure.net/keys/NAME/VERSION."
  }

  validation {
    condition = var.sku == "premium" || (
      var.customer_managed_keys.managed_services_key_id == null && var.customer_managed_keys.managed_disk_key_id == null && !var.customer_managed_keys.root_storage_enabled
    )
    error_message = "customer_managed_keys need sku = \"premium\", and sku is \"${var.sku}\"."
  }
}

variable "enhanced_security_compliance" {
  type = object({
    automatic_cluster_update_enabled      = optional(bool, false)
    enhanced_security_monitoring_enabled  = optional(bool, false)
    compliance_security_profile_enabled   = optional(bool, false)
    compliance_security_profile_standards = optional(set(string), [])
  })
  default     = null
  description = "Databricks' enhanced security and compliance settings; null leaves them out. A profile or standard that is taken away later makes the workspace anew."

  validation {
    condition     = var.enhanced_security_compliance == null || var.sku == "premium"
    error_message = "enhanced_security_compliance needs sku = \"premium\", and sku is \"${var.sku}\"."
  }

  validation {
    condition = !try(var.enhanced_security_compliance.compliance_security_profile_enabled, false) || (
      try(var.enhanced_security_compliance.automatic_cluster_update_enabled, false) && try(var.enhanced_security_compliance.enhanced_security_monitoring_enabled, false)
    )
    error_message = "enhanced_security_compliance.compliance_security_profile_enabled also needs automatic_cluster_update_enabled = true and enhanced_security_monitoring_enabled = true."
  }

  validation {
    condition     = length(try(var.enhanced_security_compliance.compliance_security_profile_standards, [])) == 0 || try(var.enhanced_security_compliance.compliance_security_profile_enabled, false)
    error_message = "enhanced_security_compliance.compliance_security_profile_standards hold only with compliance_security_profile_enabled = true."
  }

  validation {
    condition     = alltrue([for standard in try(var.enhanced_security_compliance.compliance_security_profile_standards, []) : contains(["HIPAA", "PCI_DSS"], standard)])
    error_message = "enhanced_security_compliance.compliance_security_profile_standards is ${jsonencode(try(var.enhanced_security_compliance.compliance_security_profile_standards, []))}; the provider knows HIPAA and PCI_DSS."
  }
}

variable "network_address_space" {
  type        = string
  default     = null
  description = "Range of a network made for the workspace: a quarter each for the two subnets of its machines, a quarter for private endpoints; null makes none."

  validation {
    condition     = var.network_address_space == null || can(regex("^[0-9.]+/(1[6-9]|2[0-4])$", var.network_address_space)) && can(cidrhost(var.network_address_space, 0))
    error_message = "network_address_space is \"${coalesce(var.network_address_space, " ")}\"; Databricks wants an IPv4 range from /16 to /24, like 10.139.0.0/20."
  }

  validation {
    condition     = var.network_address_space == null || var.existing_network == null
    error_message = "network_address_space makes a network and existing_network brings one; give one of them, or neither for a network that Databricks keeps."
  }
}

variable "existing_network" {
  type = object({
    virtual_network_id                                   = string
    public_subnet_name                                   = string
    private_subnet_name                                  = string
    public_subnet_network_security_group_association_id  = string
    private_subnet_network_security_group_association_id = string
  })
  default     = null
  description = "A network that exists, with two subnets delegated to Microsoft.Databricks/workspaces, each joined to a security group; null brings none."

  validation {
    condition     = var.existing_network == null || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+$", var.existing_network.virtual_network_id))
    error_message = "existing_network.virtual_network_id is \"${try(var.existing_network.virtual_network_id, "")}\"; it must be the full id of a network (/subscriptions/…/virtualNetworks/…)."
  }

  validation {
    condition     = try(var.existing_network.public_subnet_name != var.existing_network.private_subnet_name, true)
    error_message = "existing_network.public_subnet_name and private_subnet_name are the same; a workspace takes two subnets for itself."
  }
}

variable "private_endpoint" {
  type = object({
    subnet_id           = optional(string)
    private_dns_zone_id = string
  })
  default     = null
  description = "Private endpoint for the workspace's pages and interfaces: the id of the zone privatelink.azuredatabricks.net, and of a subnet where the module makes no network; null makes none."

  validation {
    condition     = var.private_endpoint == null || can(regex("/privateDnsZones/privatelink\\.azuredatabricks\\.net$", var.private_endpoint.private_dns_zone_id))
    error_message = "private_endpoint.private_dns_zone_id must be the full id of the zone privatelink.azuredatabricks.net; with another zone the workspace's name would not lead to its private address."
  }

  validation {
    condition     = var.private_endpoint == null || var.sku == "premium"
    error_message = "private_endpoint needs sku = \"premium\", and sku is \"${var.sku}\"."
  }

  validation {
    condition     = var.private_endpoint == null || var.network_address_space != null || var.existing_network != null
    error_message = "private_endpoint needs a workspace in a network of yours: give network_address_space or existing_network."
  }

  validation {
    condition     = var.private_endpoint == null || var.network_address_space != null || var.existing_network == null || try(var.private_endpoint.subnet_id, null) != null
    error_message = "private_endpoint.subnet_id is missing; with existing_network the module makes no subnet for endpoints, so name one."
  }
}

variable "tags" {
  type        = map(string)
  default     = {}
  nullable    = false
  description = "Tags of everything that can have tags; Databricks puts them on its clusters' machines as well."

  validation {
    condition     = length(var.tags) <= 50 && alltrue([for key, value in var.tags : can(regex("^[^<>%&\\\\?/]{1,512}$", key)) && length(value) <= 256])
    error_message = "tags is ${jsonencode(var.tags)}; Azure takes 50 of them, with keys of 1 to 512 characters other than < > % & \\ ? / and values of up to 256."
  }
}
