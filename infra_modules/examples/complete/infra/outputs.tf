output "workspace_url" {
  description = "Address of the workspace, with https://."
  value       = module.databricks_workspace.workspace_url
}

output "workspace_resource_id" {
  description = "Azure resource id of the workspace."
  value       = module.databricks_workspace.workspace_resource_id
}

output "workspace_id" {
  description = "Number of the workspace in Databricks, as text."
  value       = module.databricks_workspace.workspace_id
}

output "sku" {
  description = "Pricing tier of the workspace."
  value       = module.databricks_workspace.sku
}

output "storage_url" {
  description = "The abfss URL of the container that Unity Catalog keeps its data in, known while planning."
  value       = module.azure_base.container_urls[local.container_name]
}

output "storage_account_id" {
  description = "Resource id of the storage account."
  value       = module.azure_base.storage_account_id
}

output "access_connector_id" {
  description = "Resource id of the access connector through which Unity Catalog reaches the account."
  value       = module.azure_base.access_connector_id
}

output "resource_group_name" {
  description = "Name of the resource group."
  value       = module.azure_base.resource_group_name
}

output "lock_enabled" {
  description = "Whether a management lock keeps the storage account from being deleted."
  value       = module.azure_base.lock_enabled
}

output "virtual_network_id" {
  description = "Resource id of the network made for the workspace, to link private DNS zones to; null where none was made."
  value       = module.databricks_workspace.virtual_network_id
}

output "outbound_ip_address" {
  description = "Public address from which the clusters call out; null where no network was made."
  value       = module.databricks_workspace.outbound_ip_address
}
