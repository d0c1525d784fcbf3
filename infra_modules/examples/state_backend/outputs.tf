output "backend_configuration" {
  description = "What a stack's backend.conf holds besides its key."
  value = {
    resource_group_name  = azurerm_resource_group.this.name
    storage_account_name = var.storage_account_name
    container_name       = azurerm_storage_container.this.name
    use_azuread_auth     = true
  }
}

output "storage_account_id" {
  description = "Resource id of the account that holds the state."
  value       = azurerm_storage_account.this.id
}
