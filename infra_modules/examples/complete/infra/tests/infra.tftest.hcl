mock_provider "azurerm" {
  mock_resource "azurerm_resource_group" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine"
    }
  }

  mock_resource "azurerm_storage_account" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Storage/storageAccounts/winedata"
    }
  }

  mock_resource "azurerm_databricks_access_connector" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Databricks/accessConnectors/winedata-access"
      identity = {
        principal_id = "00000000-0000-0000-0000-000000000005"
        tenant_id    = "00000000-0000-0000-0000-000000000002"
      }
    }
  }

  mock_resource "azurerm_databricks_workspace" {
    defaults = {
      id            = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Databricks/workspaces/wine"
      workspace_id  = "1234567890123456"
      workspace_url = "adb-1234567890123456.7.azuredatabricks.net"
    }
  }

  mock_resource "azurerm_virtual_network" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/virtualNetworks/wine-network"
    }
  }

  mock_resource "azurerm_subnet" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/virtualNetworks/wine-network/subnets/wine-endpoints"
    }
  }

  mock_resource "azurerm_subnet_network_security_group_association" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/virtualNetworks/wine-network/subnets/wine-public"
    }
  }

  mock_resource "azurerm_network_security_group" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/networkSecurityGroups/wine-security"
    }
  }

  mock_resource "azurerm_public_ip" {
    defaults = {
      id         = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/publicIPAddresses/wine-outbound"
      ip_address = "20.0.0.1"
    }
  }

  mock_resource "azurerm_nat_gateway" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/natGateways/wine-outbound"
    }
  }
}

variables {
  subscription_id      = "00000000-0000-0000-0000-000000000001"
  location             = "westeurope"
  resource_group_name  = "wine"
  storage_account_name = "winedata"
  workspace_name       = "wine"
}

run "the_workspace_stack_is_told_where_everything_is" {
  command = apply

  assert {
    condition     = output.workspace_url == "https://adb-1234567890123456.7.azuredatabricks.net" && output.sku == "premium"
    error_message = "The address or the SKU of the workspace is not handed on."
  }

  assert {
    condition     = endswith(output.workspace_resource_id, "/providers/Microsoft.Databricks/workspaces/wine")
    error_message = "The workspace's resource id is not handed on."
  }

  assert {
    condition     = output.storage_url == "abfss://unity-catalog@winedata.dfs.core.windows.net/"
    error_message = "The URL of Unity Catalog's container is not handed on."
  }

  assert {
    condition     = endswith(output.access_connector_id, "/accessConnectors/winedata-access")
    error_message = "The access connector is not handed on."
  }
}

run "dev_leaves_the_network_to_databricks" {
  command = plan

  assert {
    condition     = output.virtual_network_id == null
    error_message = "The dev preset makes a network that nobody asked for."
  }
}

run "hardened_puts_the_endpoints_of_the_data_into_the_network_of_the_workspace" {
  command = apply

  variables {
    preset                = "hardened"
    network_address_space = "10.139.0.0/20"
    private_dns_zone_ids = {
      blob       = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"
      dfs        = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.dfs.core.windows.net"
      databricks = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.azuredatabricks.net"
    }
  }

  assert {
    condition     = startswith(module.databricks_workspace.endpoints_subnet_id, output.virtual_network_id)
    error_message = "The private endpoints are not in the workspace's network."
  }

  assert {
    condition     = output.lock_enabled
    error_message = "The hardened data has no lock."
  }
}

run "hardened_without_a_network_is_refused" {
  command = plan

  variables {
    preset = "hardened"
  }

  expect_failures = [var.preset]
}

run "private_zones_without_a_network_are_refused" {
  command = plan

  variables {
    private_dns_zone_ids = {
      blob       = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"
      dfs        = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.dfs.core.windows.net"
      databricks = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.azuredatabricks.net"
    }
  }

  expect_failures = [var.private_dns_zone_ids]
}

run "a_subscription_by_its_name_is_refused" {
  command = plan

  variables {
    subscription_id = "Azure subscription 1"
  }

  expect_failures = [var.subscription_id]
}
