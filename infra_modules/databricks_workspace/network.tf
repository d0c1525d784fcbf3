locals {
  network_count = var.network_address_space == null ? 0 : 1

  # Quarters of the range: two for the workspace's machines, one for private endpoints, one free.
  subnets = var.network_address_space == null ? {} : {
    public    = { index = 0, delegated = true }
    private   = { index = 1, delegated = true }
    endpoints = { index = 2, delegated = false }
  }
  delegated_subnets = toset([for name, subnet in local.subnets : name if subnet.delegated])

  network = var.network_address_space == null ? var.existing_network : {
    virtual_network_id                                   = azurerm_virtual_network.this[0].id
    public_subnet_name                                   = azurerm_subnet.this["public"].name
    private_subnet_name                                  = azurerm_subnet.this["private"].name
    public_subnet_network_security_group_association_id  = azurerm_subnet_network_security_group_association.this["public"].id
    private_subnet_network_security_group_association_id = azurerm_subnet_network_security_group_association.this["private"].id
  }
}

resource "azurerm_virtual_network" "this" {
  count = local.network_count

  name                = "${var.name}-network"
  resource_group_name = var.resource_group_name
  location            = var.location
  address_space       = [var.network_address_space]
  tags                = var.tags
}

resource "azurerm_subnet" "this" {
  for_each = local.subnets

  name                            = "${var.name}-${each.key}"
  resource_group_name             = var.resource_group_name
  virtual_network_name            = azurerm_virtual_network.this[0].name
  address_prefixes                = [cidrsubnet(var.network_address_space, 2, each.value.index)]
  default_outbound_access_enabled = false

  dynamic "delegation" {
    for_each = each.value.delegated ? ["databricks"] : []

    content {
      name = delegation.value

      service_delegation {
        name = "Microsoft.Databricks/workspaces"
        actions = [
          "Microsoft.Network/virtualNetworks/subnets/join/action",
          "Microsoft.Network/virtualNetworks/subnets/prepareNetworkPolicies/action",
          "Microsoft.Network/virtualNetworks/subnets/unprepareNetworkPolicies/action",
        ]
      }
    }
  }
}

# Databricks adds the rules that it needs; rules of one's own beside them are a resource of the caller's.
resource "azurerm_network_security_group" "this" {
  count = local.network_count

  name                = "${var.name}-security"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_subnet_network_security_group_association" "this" {
  for_each = local.subnets

  subnet_id                 = azurerm_subnet.this[each.key].id
  network_security_group_id = azurerm_network_security_group.this[0].id
}

# Machines without public addresses reach packages and the control plane through one gateway.
resource "azurerm_public_ip" "outbound" {
  count = local.network_count

  name                = "${var.name}-outbound"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway" "this" {
  count = local.network_count

  name                = "${var.name}-outbound"
  resource_group_name = var.resource_group_name
  location            = var.location
  sku_name            = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  count = local.network_count

  nat_gateway_id       = azurerm_nat_gateway.this[0].id
  public_ip_address_id = azurerm_public_ip.outbound[0].id
}

resource "azurerm_subnet_nat_gateway_association" "this" {
  for_each = local.delegated_subnets

  subnet_id      = azurerm_subnet.this[each.key].id
  nat_gateway_id = azurerm_nat_gateway.this[0].id
}
