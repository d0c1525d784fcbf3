output "job_id" {
  description = "Id of the job."
  value       = databricks_job.this.id
}

output "job_name" {
  description = "Name of the job."
  value       = databricks_job.this.name
}

output "url" {
  description = "Page of the job in the workspace."
  value       = databricks_job.this.url
}

output "task_keys" {
  description = "Keys of the tasks, in the order in which they run."
  value       = local.task_keys
}

output "parameters" {
  description = "Job parameters and their default values."
  value       = local.job_parameters
}

output "vcpus" {
  description = "vCPUs that the job cluster takes while it runs; 0 where an existing cluster or serverless compute does the work."
  value       = coalesce(one(module.cluster_size[*].vcpus), 0)
}
