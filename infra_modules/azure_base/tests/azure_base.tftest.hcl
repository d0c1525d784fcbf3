mock_provider "azurerm" {
  mock_resource "azurerm_resource_group" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine"
    }
  }

  mock_data "azurerm_resource_group" {
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
}

variables {
  location             = "westeurope"
  resource_group_name  = "wine"
  storage_account_name = "winedata"
}

run "every_account_is_a_data_lake_behind_tls" {
  command = plan

  variables {
    preset = "dev"
  }

  assert {
    condition     = azurerm_storage_account.this.is_hns_enabled && azurerm_storage_account.this.account_kind == "StorageV2"
    error_message = "Without the hierarchical namespace the account is no data lake."
  }

  assert {
    condition     = azurerm_storage_account.this.https_traffic_only_enabled && azurerm_storage_account.this.min_tls_version == "TLS1_2"
    error_message = "The account answers without TLS 1.2."
  }

  assert {
    condition     = !azurerm_storage_account.this.allow_nested_items_to_be_public && !azurerm_storage_account.this.local_user_enabled
    error_message = "The account allows public blobs or users of its own."
  }
}

run "hardened_account_is_reached_by_nobody_but_trusted_services" {
  command = plan

  assert {
    condition     = !azurerm_storage_account.this.public_network_access_enabled
    error_message = "The hardened account answers on the internet."
  }

  assert {
    condition     = azurerm_storage_account.this.network_rules[0].default_action == "Deny" && azurerm_storage_account.this.network_rules[0].bypass == toset(["AzureServices"])
    error_message = "The hardened account's network rules let others in than Azure's own services."
  }

  assert {
    condition     = !azurerm_storage_account.this.shared_access_key_enabled
    error_message = "The hardened account takes shared keys."
  }
}

run "hardened_data_has_a_second_region_and_a_way_back" {
  command = plan

  assert {
    condition     = azurerm_storage_account.this.account_replication_type == "GRS"
    error_message = "The hardened account's data is in one region only."
  }

  assert {
    condition = (
      azurerm_storage_account.this.blob_properties[0].delete_retention_policy[0].days == 30
      && azurerm_storage_account.this.blob_properties[0].container_delete_retention_policy[0].days == 30
    )
    error_message = "What is deleted from the hardened account cannot be brought back for 30 days."
  }
}

run "hardened_account_is_locked" {
  command = plan

  assert {
    condition     = azurerm_management_lock.storage[0].lock_level == "CanNotDelete" && output.lock_enabled
    error_message = "The hardened account has no lock."
  }
}

run "dev_account_is_not_locked" {
  command = plan

  variables {
    preset = "dev"
  }

  assert {
    condition     = length(azurerm_management_lock.storage) == 0 && !output.lock_enabled
    error_message = "The dev account has a lock that nobody asked for."
  }
}

run "a_lock_can_be_asked_for_in_dev" {
  command = plan

  variables {
    preset       = "dev"
    lock_enabled = true
  }

  assert {
    condition     = length(azurerm_management_lock.storage) == 1
    error_message = "lock_enabled = true made no lock."
  }
}

run "a_lock_can_be_taken_off_in_hardened" {
  command = plan

  variables {
    lock_enabled = false
  }

  assert {
    condition     = length(azurerm_management_lock.storage) == 0
    error_message = "lock_enabled = false left the lock."
  }
}

run "what_is_given_wins_over_the_preset" {
  command = plan

  variables {
    replication_type              = "GZRS"
    retention_days                = 90
    public_network_access_enabled = true
    allowed_networks              = { ip_ranges = ["20.30.40.0/24"] }
  }

  assert {
    condition     = azurerm_storage_account.this.account_replication_type == "GZRS"
    error_message = "replication_type was not heeded."
  }

  assert {
    condition     = azurerm_storage_account.this.blob_properties[0].delete_retention_policy[0].days == 90
    error_message = "retention_days was not heeded."
  }

  assert {
    condition     = azurerm_storage_account.this.public_network_access_enabled && azurerm_storage_account.this.network_rules[0].ip_rules == toset(["20.30.40.0/24"])
    error_message = "The allowed addresses were not let in."
  }
}

run "containers_are_private_and_their_urls_known_while_planning" {
  command = plan

  variables {
    container_names = ["raw", "curated"]
  }

  assert {
    condition     = alltrue([for container in azurerm_storage_container.this : container.container_access_type == "private"])
    error_message = "A container is not private."
  }

  assert {
    condition = output.container_urls == {
      raw     = "abfss://raw@winedata.dfs.core.windows.net/"
      curated = "abfss://curated@winedata.dfs.core.windows.net/"
    }
    error_message = "The URLs of the containers are not what Unity Catalog takes."
  }
}

run "access_connector_may_read_and_write_this_account_alone" {
  command = apply

  assert {
    condition     = azurerm_role_assignment.access_connector.scope == azurerm_storage_account.this.id
    error_message = "The role of the access connector is not on the account."
  }

  assert {
    condition     = azurerm_role_assignment.access_connector.principal_id == "00000000-0000-0000-0000-000000000005"
    error_message = "The role is not given to the access connector's identity."
  }

  assert {
    condition     = azurerm_role_assignment.access_connector.role_definition_name == "Storage Blob Data Contributor"
    error_message = "The access connector has another role than that of a data contributor."
  }

  assert {
    condition     = azurerm_storage_account.this.network_rules[0].private_link_access[0].endpoint_resource_id == azurerm_databricks_access_connector.this.id
    error_message = "The account's network rules do not let the access connector in."
  }
}

run "an_existing_resource_group_is_looked_up" {
  command = plan

  variables {
    create_resource_group = false
  }

  assert {
    condition     = length(azurerm_resource_group.this) == 0 && azurerm_storage_account.this.resource_group_name == "wine"
    error_message = "A resource group was made although one was named."
  }
}

run "a_budget_writes_at_each_threshold" {
  command = plan

  variables {
    budget = { amount = 50, start_date = "2026-12-01T00:00:00Z", contact_emails = ["ml@example.com"] }
  }

  assert {
    condition     = toset([for notification in azurerm_consumption_budget_resource_group.this[0].notification : notification.threshold]) == toset([80, 100])
    error_message = "The budget does not write at 80 and 100 percent."
  }
}

run "without_a_budget_none_is_made" {
  command = plan

  assert {
    condition     = length(azurerm_consumption_budget_resource_group.this) == 0
    error_message = "A budget was made that nobody asked for."
  }
}

run "private_endpoints_serve_blob_and_dfs" {
  command = plan

  variables {
    private_endpoint = {
      subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/wine/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints"
      private_dns_zone_ids = {
        blob = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"
        dfs  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.dfs.core.windows.net"
      }
    }
  }

  assert {
    condition     = { for name, endpoint in azurerm_private_endpoint.storage : name => one(endpoint.private_service_connection[0].subresource_names) } == { blob = "blob", dfs = "dfs" }
    error_message = "There is not one private endpoint for each of blob and dfs."
  }
}
