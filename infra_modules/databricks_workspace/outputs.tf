output "workspace_resource_id" {
  description = "Azure resource id of the workspace."
  value       = azurerm_databricks_workspace.this.id
}

output "workspace_id" {
  description = "Number of the workspace in Databricks, as text."
  value       = azurerm_databricks_workspace.this.workspace_id
}

output "workspace_url" {
  description = "Address of the workspace, with https://, for the Databricks provider and for clients."
  value       = "https://${azurerm_databricks_workspace.this.workspace_url}"
}

output "name" {
  description = "Name of the workspace."
  value       = var.name
}

output "sku" {
  description = "Pricing tier of the workspace, for modules that need a certain one."
  value       = var.sku
}

output "managed_resource_group_id" {
  description = "Resource id of the group that Databricks made for its own resources."
  value       = azurerm_databricks_workspace.this.managed_resource_group_id
}

output "virtual_network_id" {
  description = "Resource id of the network that the workspace is in; null for one that Databricks keeps."
  value       = try(local.network.virtual_network_id, null)
}

output "endpoints_subnet_id" {
  description = "Resource id of the subnet for private endpoints in the network made here; null where none was made."
  value       = try(azurerm_subnet.this["endpoints"].id, null)
}

output "outbound_ip_address" {
  description = "Public address from which the clusters in the network made here call out; null where none was made."
  value       = try(azurerm_public_ip.outbound[0].ip_address, null)
}

output "root_storage_principal_id" {
  description = "Object id of the identity of the workspace's own storage, for a role on a key vault; null unless root_storage_enabled."
  value       = try(azurerm_databricks_workspace.this.storage_account_identity[0].principal_id, null)
}
