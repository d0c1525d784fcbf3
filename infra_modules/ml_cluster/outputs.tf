output "cluster_id" {
  description = "Id of the cluster, for jobs and for Databricks Connect (DATABRICKS_CLUSTER_ID)."
  value       = databricks_cluster.this.id
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = databricks_cluster.this.cluster_name
}

output "cluster_url" {
  description = "Address of the cluster's page in the workspace."
  value       = databricks_cluster.this.url
}

output "spark_version" {
  description = "Databricks runtime of the cluster, in its plain form."
  value       = databricks_cluster.this.spark_version
}

output "node_type" {
  description = "Azure VM size of the driver and the workers."
  value       = databricks_cluster.this.node_type_id
}

output "single_node" {
  description = "Whether the cluster is one node."
  value       = local.single_node
}

output "vcpus" {
  description = "vCPUs that the cluster runs at most, driver included: what it takes of the quota."
  value       = module.size.vcpus
}

output "policy_id" {
  description = "Id of the cluster's policy; null when it has none."
  value       = databricks_cluster.this.policy_id
}
