output "host" {
  description = "Address of the workspace, for the pipeline's target databricks."
  value       = var.workspace_url
}

output "workspace_resource_id" {
  description = "Azure resource id of the workspace."
  value       = var.workspace_resource_id
}

output "cluster_id" {
  description = "Id of the cluster of the notebooks."
  value       = module.ml_cluster.cluster_id
}

output "job_id" {
  description = "Id of the job that runs the pipeline."
  value       = module.ml_job.job_id
}

output "endpoint_name" {
  description = "Name of the endpoint; null until a champion's version is given."
  value       = module.model_serving.endpoint_name
}

output "experiment_name" {
  description = "Path of the MLflow experiment."
  value       = module.ml_assets.experiment_name
}

output "registered_model" {
  description = "Three-level name of the registered model."
  value       = module.ml_assets.registered_model
}

output "volume_path" {
  description = "Folder of the volume."
  value       = module.unity_catalog.volume_path
}

output "vcpus" {
  description = "vCPUs that the cluster of the notebooks and the job's own take when both run."
  value       = module.ml_cluster.vcpus + module.ml_job.vcpus
}
