output "workspace_folder" {
  description = "Folder of the workspace with the notebooks and modules."
  value       = local.folder
}

output "notebook_paths" {
  description = "Paths of the notebooks in the workspace, by their names below notebooks_folder."
  value       = { for name, notebook in databricks_notebook.this : name => notebook.path }
}

output "module_paths" {
  description = "Paths of the modules in the workspace's file system, by their names below modules_folder: for spark_python_task and sys.path."
  value       = { for name, file in databricks_workspace_file.module : name => "/Workspace${file.path}" }
}

output "data_path" {
  description = "Folder of the volume with the data files, for GAUNTLET_DATA_DIR; null when none are uploaded."
  value       = var.data_folder == null ? null : "${var.volume_path}/data"
  depends_on  = [databricks_file.data]
}

output "data_files" {
  description = "Paths of the data files on the volume, by their names below data_folder."
  value       = { for name, file in databricks_file.data : name => file.path }
}

output "suite_files" {
  description = "Paths of the expectation suites on the volume, by their names below suites_folder."
  value       = { for name, file in databricks_file.suite : name => file.path }
}

output "wheel_files" {
  description = "Paths of the wheels on the volume, by their names below wheels_folder: for the libraries of clusters and jobs."
  value       = { for name, file in databricks_file.wheel : name => file.path }
}

output "experiment_name" {
  description = "Name of the MLflow experiment; null when none is made."
  value       = one(databricks_mlflow_experiment.this[*].name)
}

output "experiment_id" {
  description = "Id of the MLflow experiment; null when none is made."
  value       = one(databricks_mlflow_experiment.this[*].id)
}

output "registered_model" {
  description = "Three-level name of the registered model; null when none is made."
  value       = one(local.model_full_names)
}

output "secret_scope" {
  description = "Name of the secret scope; null when none is made."
  value       = one(databricks_secret_scope.this[*].name)
}
