output "resource_group_name" {
  description = "Name of the resource group, once it is there."
  value       = local.resource_group.name
}

output "location" {
  description = "Region of everything made here, for what is put beside it."
  value       = var.location
}

output "storage_account_id" {
  description = "Resource id of the storage account."
  value       = azurerm_storage_account.this.id
}

output "storage_account_name" {
  description = "Name of the storage account."
  value       = var.storage_account_name
}

output "container_urls" {
  description = "The abfss URL of each container, by its name, known while planning."
  value       = { for name in var.container_names : name => "abfss://${name}@${var.storage_account_name}.dfs.core.windows.net/" }
}

output "access_connector_id" {
  description = "Resource id of the access connector, for a storage credential of Unity Catalog."
  value       = azurerm_databricks_access_connector.this.id
}

output "access_connector_principal_id" {
  description = "Object id of the access connector's identity, for roles on other accounts."
  value       = azurerm_databricks_access_connector.this.identity[0].principal_id
}

output "lock_enabled" {
  description = "Whether a management lock keeps the storage account from being deleted."
  value       = local.lock_enabled
}
