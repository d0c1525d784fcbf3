mock_provider "azurerm" {
  mock_resource "azurerm_storage_account" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/terraform-state/providers/Microsoft.Storage/storageAccounts/winestate"
    }
  }
}

variables {
  subscription_id      = "00000000-0000-0000-0000-000000000001"
  location             = "westeurope"
  storage_account_name = "winestate"
  writer_ids           = ["00000000-0000-0000-0000-000000000004"]
}

run "an_older_state_can_be_brought_back" {
  command = plan

  assert {
    condition     = azurerm_storage_account.this.blob_properties[0].versioning_enabled && !azurerm_storage_account.this.is_hns_enabled
    error_message = "The account keeps no versions of a state."
  }

  assert {
    condition     = azurerm_storage_account.this.blob_properties[0].delete_retention_policy[0].days == 90
    error_message = "A deleted state cannot be brought back for 90 days."
  }
}

run "the_state_takes_logins_and_no_keys" {
  command = plan

  assert {
    condition     = !azurerm_storage_account.this.shared_access_key_enabled && output.backend_configuration.use_azuread_auth
    error_message = "A key opens the state."
  }
}

run "the_state_is_locked_against_deletion" {
  command = plan

  assert {
    condition     = azurerm_management_lock.this.lock_level == "CanNotDelete"
    error_message = "The account of the state can be deleted."
  }
}

run "allowed_addresses_close_the_account_to_all_others" {
  command = plan

  variables {
    allowed_ip_ranges = ["20.30.40.50"]
  }

  assert {
    condition     = azurerm_storage_account.this.network_rules[0].default_action == "Deny" && azurerm_storage_account.this.network_rules[0].ip_rules == toset(["20.30.40.50"])
    error_message = "Other addresses reach the state."
  }
}

run "a_state_that_nobody_may_write_is_refused" {
  command = plan

  variables {
    writer_ids = []
  }

  expect_failures = [var.writer_ids]
}

run "an_account_name_with_capitals_is_refused" {
  command = plan

  variables {
    storage_account_name = "wineState"
  }

  expect_failures = [var.storage_account_name]
}

run "a_region_by_its_long_name_is_refused" {
  command = plan

  variables {
    location = "West Europe"
  }

  expect_failures = [var.location]
}

run "a_subscription_by_its_name_is_refused" {
  command = plan

  variables {
    subscription_id = "Azure subscription 1"
  }

  expect_failures = [var.subscription_id]
}
