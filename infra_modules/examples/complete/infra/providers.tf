provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  # Said here because azurerm 4 and 5 register different sets by default.
  resource_provider_registrations = "none"
  resource_providers_to_register  = ["Microsoft.Consumption", "Microsoft.Databricks", "Microsoft.Network", "Microsoft.Storage"]

  features {
    resource_group {
      prevent_deletion_if_contains_resources = true
    }

    # All that is set here goes through Azure's management interface, so that a closed account can be made from outside.
    storage {
      data_plane_available = false
    }
  }
}
