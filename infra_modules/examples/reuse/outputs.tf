output "training_cluster_id" {
  description = "Cluster on which the churn models are trained."
  value       = module.training_cluster.cluster_id
}

output "training_vcpus" {
  description = "vCPUs that training takes of the quota."
  value       = module.training_cluster.vcpus
}
