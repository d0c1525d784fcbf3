mock_provider "databricks" {}

variables {
  workspace_folder = "/Shared/gauntlet"
  secret_scope     = "gauntlet"
}

run "scope_is_made_and_opened_to_nobody" {
  command = plan

  assert {
    condition     = output.secret_scope == "gauntlet" && length(databricks_secret_acl.this) == 0
    error_message = "Whoever makes the scope manages it; others are let in by name."
  }
  assert {
    condition     = databricks_secret_scope.this[0].initial_manage_principal == null
    error_message = "\"users\" would let everybody of the workspace manage the secrets."
  }
}

run "reader_may_read_and_no_more" {
  command = plan
  variables {
    secret_acls = { "wine-pipeline" = "READ" }
  }

  assert {
    condition     = databricks_secret_acl.this["wine-pipeline"].permission == "READ" && databricks_secret_acl.this["wine-pipeline"].scope == "gauntlet"
    error_message = "A principal gets what is listed for it, on this scope."
  }
}

run "scope_can_show_a_key_vault" {
  command = plan
  variables {
    key_vault = {
      resource_id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/gauntlet-dev/providers/Microsoft.KeyVault/vaults/gauntlet-dev"
      dns_name    = "https://gauntlet-dev.vault.azure.net/"
    }
  }

  assert {
    condition     = databricks_secret_scope.this[0].keyvault_metadata[0].dns_name == "https://gauntlet-dev.vault.azure.net/"
    error_message = "The scope reads the secrets from the vault."
  }
}

run "no_scope_unasked" {
  command = plan
  variables {
    secret_scope = null
  }

  assert {
    condition     = length(databricks_secret_scope.this) == 0 && output.secret_scope == null
    error_message = "No scope was named."
  }
}
