# All that depends on the preset. What is not here is the same in both. No argument that would replace the account is
# here, so that an account can go from dev to hardened and keep its data.
locals {
  presets = {
    dev = {
      replication_type              = "LRS"
      public_network_access_enabled = true
      network_default_action        = "Allow"
      shared_access_key_enabled     = true
      retention_days                = 7
      lock_enabled                  = false
    }
    hardened = {
      replication_type              = "GRS"
      public_network_access_enabled = false
      network_default_action        = "Deny"
      shared_access_key_enabled     = false
      retention_days                = 30
      lock_enabled                  = true
    }
  }

  preset = local.presets[var.preset]

  replication_type              = coalesce(var.replication_type, local.preset.replication_type)
  public_network_access_enabled = coalesce(var.public_network_access_enabled, local.preset.public_network_access_enabled)
  retention_days                = coalesce(var.retention_days, local.preset.retention_days)
  lock_enabled                  = coalesce(var.lock_enabled, local.preset.lock_enabled)
}
