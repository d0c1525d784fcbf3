data "azurerm_resource_group" "existing" {
  count = var.create_resource_group ? 0 : 1

  name = var.resource_group_name
}

resource "azurerm_resource_group" "this" {
  count = var.create_resource_group ? 1 : 0

  name     = var.resource_group_name
  location = var.location
  tags     = var.tags
}

locals {
  resource_group = one(concat(azurerm_resource_group.this[*], data.azurerm_resource_group.existing[*]))
}

resource "azurerm_storage_account" "this" {
  name                = var.storage_account_name
  resource_group_name = local.resource_group.name
  location            = var.location
  tags                = var.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = local.replication_type
  is_hns_enabled           = true

  https_traffic_only_enabled        = true
  min_tls_version                   = "TLS1_2"
  infrastructure_encryption_enabled = true
  allow_nested_items_to_be_public   = false
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  sftp_enabled                      = false
  shared_access_key_enabled         = local.preset.shared_access_key_enabled
  default_to_oauth_authentication   = true
  public_network_access_enabled     = local.public_network_access_enabled

  sas_policy {
    expiration_action = "Log"
    expiration_period = "01.00:00:00"
  }

  network_rules {
    default_action             = local.preset.network_default_action
    bypass                     = ["AzureServices"]
    ip_rules                   = var.allowed_networks.ip_ranges
    virtual_network_subnet_ids = var.allowed_networks.subnet_ids

    # Unity Catalog itself comes through the access connector, whatever the networks are.
    private_link_access {
      endpoint_resource_id = azurerm_databricks_access_connector.this.id
    }
  }

  blob_properties {
    delete_retention_policy {
      days = local.retention_days
    }

    container_delete_retention_policy {
      days = local.retention_days
    }
  }
}

# Made through Azure's management interface, so that it works from a network which the account does not let in.
resource "azurerm_storage_container" "this" {
  for_each = var.container_names

  name                  = each.key
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_management_lock" "storage" {
  count = local.lock_enabled ? 1 : 0

  name       = "${var.storage_account_name}-keep"
  scope      = azurerm_storage_account.this.id
  lock_level = "CanNotDelete"
  notes      = "Holds data. Remove it with lock_enabled = false in the stack that made the account."
}

resource "azurerm_databricks_access_connector" "this" {
  name                = coalesce(var.access_connector_name, "${var.storage_account_name}-access")
  resource_group_name = local.resource_group.name
  location            = var.location
  tags                = var.tags

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_role_assignment" "access_connector" {
  scope                = azurerm_storage_account.this.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_databricks_access_connector.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_private_endpoint" "storage" {
  for_each = toset(var.private_endpoint == null ? [] : ["blob", "dfs"])

  name                = "${var.storage_account_name}-${each.key}"
  resource_group_name = local.resource_group.name
  location            = var.location
  subnet_id           = var.private_endpoint.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "${var.storage_account_name}-${each.key}"
    private_connection_resource_id = azurerm_storage_account.this.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [var.private_endpoint.private_dns_zone_ids[each.key]]
  }
}

resource "azurerm_consumption_budget_resource_group" "this" {
  count = var.budget == null ? 0 : 1

  name              = "${var.resource_group_name}-monthly"
  resource_group_id = local.resource_group.id
  amount            = var.budget.amount
  time_grain        = "Monthly"

  time_period {
    start_date = var.budget.start_date
  }

  dynamic "notification" {
    for_each = toset(var.budget.thresholds)

    content {
      enabled        = true
      operator       = "GreaterThanOrEqualTo"
      threshold      = notification.value
      threshold_type = "Actual"
      contact_emails = var.budget.contact_emails
    }
  }
}
