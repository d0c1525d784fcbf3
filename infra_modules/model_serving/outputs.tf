output "endpoint_name" {
  description = "Name of the endpoint; null while nothing is served."
  value       = local.served ? var.name : null
}

output "serving_endpoint_id" {
  description = "Id of the endpoint, for permissions; null while nothing is served."
  value       = one(databricks_model_serving.this[*].serving_endpoint_id)
}

output "endpoint_url" {
  description = "Address that takes the requests; null while nothing is served."
  value       = one(databricks_model_serving.this[*].endpoint_url)
}

output "traffic" {
  description = "Percentage of the requests that each served version gets, by its part: champion and challenger."
  value       = local.served ? { for entity in local.entities : entity.name => entity.percentage } : {}
}

output "inference_table" {
  description = "Three-level name of the table that keeps requests and answers; null where none is kept."
  value       = local.served && var.inference_table != null ? "${var.inference_table.catalog_name}.${var.inference_table.schema_name}.${var.inference_table.table_name_prefix}_payload" : null
}
