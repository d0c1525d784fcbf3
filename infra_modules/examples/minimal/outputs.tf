output "cluster_id" {
  description = "Id of the cluster, for Databricks Connect (DATABRICKS_CLUSTER_ID)."
  value       = module.ml_cluster.cluster_id
}

output "cluster_url" {
  description = "Address of the cluster's page."
  value       = module.ml_cluster.cluster_url
}

output "schema" {
  description = "Where the pipeline's tables are, CATALOG.SCHEMA."
  value       = module.unity_catalog.schema
}

output "volume_path" {
  description = "Where the pipeline's files are."
  value       = module.unity_catalog.volume_path
}
