mock_provider "azurerm" {
  mock_resource "azurerm_virtual_network" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/virtualNetworks/wine-network"
    }
  }

  mock_resource "azurerm_subnet" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/virtualNetworks/wine-network/subnets/wine-public"
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

  mock_resource "azurerm_databricks_workspace" {
    defaults = {
      id            = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Databricks/workspaces/wine"
      workspace_id  = "1234567890123456"
      workspace_url = "adb-1234567890123456.7.azuredatabricks.net"
    }
  }
}

variables {
  name                = "wine"
  resource_group_name = "wine"
  location            = "westeurope"
}

run "workspace_is_premium_without_public_addresses" {
  command = plan

  assert {
    condition     = azurerm_databricks_workspace.this.sku == "premium" && output.sku == "premium"
    error_message = "The workspace is not premium."
  }

  assert {
    condition     = azurerm_databricks_workspace.this.custom_parameters[0].no_public_ip
    error_message = "The clusters' machines get public addresses."
  }
}

run "databricks_keeps_the_network_unless_one_is_asked_for" {
  command = plan

  assert {
    condition     = length(azurerm_virtual_network.this) + length(azurerm_subnet.this) + length(azurerm_nat_gateway.this) == 0
    error_message = "A network was made that nobody asked for."
  }

  assert {
    condition     = azurerm_databricks_workspace.this.custom_parameters[0].virtual_network_id == null
    error_message = "The workspace is put into a network that nobody named."
  }
}

run "managed_resource_group_is_named_after_the_workspace" {
  command = plan

  assert {
    condition     = azurerm_databricks_workspace.this.managed_resource_group_name == "wine-managed"
    error_message = "Two workspaces in one resource group would get the same managed group."
  }
}

run "a_network_has_two_subnets_delegated_to_databricks" {
  command = plan

  variables {
    network_address_space = "10.139.0.0/20"
  }

  assert {
    condition = toset([
      for name, subnet in azurerm_subnet.this : name if length(subnet.delegation) > 0
    ]) == toset(["public", "private"])
    error_message = "Not the two subnets of the machines are delegated."
  }

  assert {
    condition = alltrue([
      for name in ["public", "private"] : azurerm_subnet.this[name].delegation[0].service_delegation[0].name == "Microsoft.Databricks/workspaces"
    ])
    error_message = "The subnets are not delegated to Databricks' workspaces."
  }
}

run "subnets_share_the_network_without_overlap" {
  command = plan

  variables {
    network_address_space = "10.139.0.0/24"
  }

  assert {
    condition = { for name, subnet in azurerm_subnet.this : name => one(subnet.address_prefixes) } == {
      public    = "10.139.0.0/26"
      private   = "10.139.0.64/26"
      endpoints = "10.139.0.128/26"
    }
    error_message = "The smallest network is not divided into the subnets that Databricks needs."
  }
}

run "every_subnet_has_a_security_group" {
  command = plan

  variables {
    network_address_space = "10.139.0.0/20"
  }

  assert {
    condition     = keys(azurerm_subnet_network_security_group_association.this) == ["endpoints", "private", "public"]
    error_message = "A subnet is joined to no security group."
  }
}

run "machines_go_out_through_one_gateway" {
  command = plan

  variables {
    network_address_space = "10.139.0.0/20"
  }

  assert {
    condition     = keys(azurerm_subnet_nat_gateway_association.this) == ["private", "public"]
    error_message = "A subnet of the machines has no gateway."
  }

  assert {
    condition     = azurerm_public_ip.outbound[0].allocation_method == "Static" && azurerm_public_ip.outbound[0].sku == "Standard"
    error_message = "The gateway's address is not fixed."
  }
}

run "workspace_is_put_into_the_network_made_for_it" {
  command = apply

  variables {
    network_address_space = "10.139.0.0/20"
  }

  assert {
    condition     = azurerm_databricks_workspace.this.custom_parameters[0].virtual_network_id == azurerm_virtual_network.this[0].id
    error_message = "The workspace is not in its network."
  }

  assert {
    condition = (
      azurerm_databricks_workspace.this.custom_parameters[0].public_subnet_name == "wine-public"
      && azurerm_databricks_workspace.this.custom_parameters[0].private_subnet_name == "wine-private"
    )
    error_message = "The workspace does not use the two delegated subnets."
  }

  assert {
    condition = (
      azurerm_databricks_workspace.this.custom_parameters[0].public_subnet_network_security_group_association_id == azurerm_subnet_network_security_group_association.this["public"].id
      && azurerm_databricks_workspace.this.custom_parameters[0].private_subnet_network_security_group_association_id == azurerm_subnet_network_security_group_association.this["private"].id
    )
    error_message = "The workspace does not wait for the security group of its subnets."
  }

  assert {
    condition     = output.outbound_ip_address == "20.0.0.1"
    error_message = "The address from which clusters call out is not told."
  }
}

run "an_existing_network_is_used_as_it_is" {
  command = plan

  variables {
    existing_network = {
      virtual_network_id                                   = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub"
      public_subnet_name                                   = "hosts"
      private_subnet_name                                  = "containers"
      public_subnet_network_security_group_association_id  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub/subnets/hosts"
      private_subnet_network_security_group_association_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub/subnets/containers"
    }
  }

  assert {
    condition     = length(azurerm_virtual_network.this) == 0 && azurerm_databricks_workspace.this.custom_parameters[0].public_subnet_name == "hosts"
    error_message = "The existing network is not used as it is."
  }
}

run "a_private_workspace_asks_for_no_rules_of_the_control_plane" {
  command = plan

  variables {
    public_network_access_enabled = false
  }

  assert {
    condition     = azurerm_databricks_workspace.this.network_security_group_rules_required == "NoAzureDatabricksRules"
    error_message = "A private workspace wants rules that let the control plane in from the internet."
  }
}

run "a_private_endpoint_stands_in_the_network_made_here" {
  command = apply

  variables {
    network_address_space = "10.139.0.0/20"
    private_endpoint = {
      private_dns_zone_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.azuredatabricks.net"
    }
  }

  assert {
    condition     = azurerm_private_endpoint.this[0].subnet_id == azurerm_subnet.this["endpoints"].id
    error_message = "The private endpoint is not in the subnet for endpoints."
  }

  assert {
    condition     = azurerm_private_endpoint.this[0].private_service_connection[0].subresource_names == tolist(["databricks_ui_api"])
    error_message = "The private endpoint does not lead to the workspace's pages and interfaces."
  }
}

run "own_keys_are_handed_on_by_id" {
  command = plan

  variables {
    customer_managed_keys = {
      managed_services_key_id = "https://winekeys.vault.azure.net/keys/services/00000000000000000000000000000001"
      managed_disk_key_id     = "https://winekeys.vault.azure.net/keys/disks/00000000000000000000000000000002"
      root_storage_enabled    = true
    }
  }

  assert {
    condition     = azurerm_databricks_workspace.this.managed_services_cmk_key_vault_key_id == "https://winekeys.vault.azure.net/keys/services/00000000000000000000000000000001"
    error_message = "The key for notebooks and secrets was not handed on."
  }

  assert {
    condition     = azurerm_databricks_workspace.this.managed_disk_cmk_rotation_to_latest_version_enabled && azurerm_databricks_workspace.this.customer_managed_key_enabled
    error_message = "The keys for disks and root storage were not prepared."
  }
}

run "closed_root_storage_is_reached_by_the_access_connector" {
  command = plan

  variables {
    storage_firewall_access_connector_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Databricks/accessConnectors/wine"
  }

  assert {
    condition     = azurerm_databricks_workspace.this.default_storage_firewall_enabled
    error_message = "The workspace's own storage is still open."
  }
}

run "address_of_the_workspace_can_be_handed_to_a_client" {
  command = apply

  assert {
    condition     = output.workspace_url == "https://adb-1234567890123456.7.azuredatabricks.net"
    error_message = "The workspace's address lacks its https://."
  }
}

# A warning, so that it is no rule; what the plan holds all the same is the point.
run "a_standard_workspace_is_planned_with_a_warning" {
  command = plan

  variables {
    sku = "standard"
  }

  expect_failures = [check.sku]

  assert {
    condition     = azurerm_databricks_workspace.this.sku == "standard"
    error_message = "A standard workspace is refused."
  }
}
