locals {
  container_name = "unity-catalog"
  hardened       = var.preset == "hardened"
}

module "azure_base" {
  source = "../../../azure_base"

  preset               = var.preset
  location             = var.location
  further_regions      = var.further_regions
  resource_group_name  = var.resource_group_name
  storage_account_name = var.storage_account_name
  container_names      = [local.container_name]
  lock_enabled         = var.lock_enabled
  budget               = var.budget
  tags                 = var.tags

  private_endpoint = var.private_dns_zone_ids == null ? null : {
    subnet_id = module.databricks_workspace.endpoints_subnet_id
    private_dns_zone_ids = {
      blob = var.private_dns_zone_ids.blob
      dfs  = var.private_dns_zone_ids.dfs
    }
  }
}

module "databricks_workspace" {
  source = "../../../databricks_workspace"

  name                = var.workspace_name
  resource_group_name = module.azure_base.resource_group_name
  location            = module.azure_base.location
  sku                 = var.sku
  tags                = var.tags

  public_network_access_enabled        = !local.hardened
  infrastructure_encryption_enabled    = var.infrastructure_encryption_enabled
  storage_firewall_access_connector_id = local.hardened ? module.azure_base.access_connector_id : null
  network_address_space                = var.network_address_space
  private_endpoint                     = var.private_dns_zone_ids == null ? null : { private_dns_zone_id = var.private_dns_zone_ids.databricks }
}
