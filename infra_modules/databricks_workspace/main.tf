locals {
  managed_resource_group_name           = coalesce(var.managed_resource_group_name, "${var.name}-managed")
  network_security_group_rules_required = coalesce(var.network_security_group_rules_required, var.public_network_access_enabled ? "AllRules" : "NoAzureDatabricksRules")
}

resource "azurerm_databricks_workspace" "this" {
  name                        = var.name
  resource_group_name         = var.resource_group_name
  location                    = var.location
  sku                         = var.sku
  managed_resource_group_name = local.managed_resource_group_name
  tags                        = var.tags

  public_network_access_enabled         = var.public_network_access_enabled
  network_security_group_rules_required = local.network_security_group_rules_required

  infrastructure_encryption_enabled = var.infrastructure_encryption_enabled
  default_storage_firewall_enabled  = var.storage_firewall_access_connector_id == null ? null : true
  access_connector_id               = var.storage_firewall_access_connector_id

  customer_managed_key_enabled                        = var.customer_managed_keys.root_storage_enabled
  managed_services_cmk_key_vault_key_id               = var.customer_managed_keys.managed_services_key_id
  managed_disk_cmk_key_vault_key_id                   = var.customer_managed_keys.managed_disk_key_id
  managed_disk_cmk_rotation_to_latest_version_enabled = var.customer_managed_keys.managed_disk_key_id == null ? null : true

  custom_parameters {
    no_public_ip                                         = true
    virtual_network_id                                   = try(local.network.virtual_network_id, null)
    public_subnet_name                                   = try(local.network.public_subnet_name, null)
    private_subnet_name                                  = try(local.network.private_subnet_name, null)
    public_subnet_network_security_group_association_id  = try(local.network.public_subnet_network_security_group_association_id, null)
    private_subnet_network_security_group_association_id = try(local.network.private_subnet_network_security_group_association_id, null)
  }

  dynamic "enhanced_security_compliance" {
    for_each = var.enhanced_security_compliance[*]

    content {
      automatic_cluster_update_enabled      = enhanced_security_compliance.value.automatic_cluster_update_enabled
      enhanced_security_monitoring_enabled  = enhanced_security_compliance.value.enhanced_security_monitoring_enabled
      compliance_security_profile_enabled   = enhanced_security_compliance.value.compliance_security_profile_enabled
      compliance_security_profile_standards = enhanced_security_compliance.value.compliance_security_profile_standards
    }
  }

  # The machines have no way out without the gateway, neither while they start nor while they are taken down.
  depends_on = [
    azurerm_subnet_nat_gateway_association.this,
    azurerm_nat_gateway_public_ip_association.this,
  ]
}

resource "azurerm_private_endpoint" "this" {
  count = var.private_endpoint == null ? 0 : 1

  name                = "${var.name}-workspace"
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = coalesce(var.private_endpoint.subnet_id, try(azurerm_subnet.this["endpoints"].id, null))
  tags                = var.tags

  private_service_connection {
    name                           = "${var.name}-workspace"
    private_connection_resource_id = azurerm_databricks_workspace.this.id
    subresource_names              = ["databricks_ui_api"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "workspace"
    private_dns_zone_ids = [var.private_endpoint.private_dns_zone_id]
  }
}

# A warning, because Azure still upgrades such workspaces; what cannot work refuses for itself (see model_serving).
check "sku" {
  assert {
    condition     = var.sku != "standard"
    error_message = "sku = \"standard\" has no Unity Catalog, no access control, no model serving and no private link, and Azure is closing it; use \"premium\"."
  }
}
