provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  resource_provider_registrations = "none"
  resource_providers_to_register  = ["Microsoft.Storage"]

  features {
    resource_group {
      prevent_deletion_if_contains_resources = true
    }

    storage {
      data_plane_available = false
    }
  }
}
