locals {
  wheel_name = "gauntlet_mlops-${var.wheel_version}-py3-none-any.whl"
  wheel      = var.wheels_folder == null ? "${module.unity_catalog.volume_path}/wheels/${local.wheel_name}" : module.ml_assets.wheel_files[local.wheel_name]

  # Where the pipeline looks for its data first; where nothing is, it looks on.
  environment_variables = { GAUNTLET_DATA_DIR = "${module.unity_catalog.volume_path}/data" }
}

module "unity_catalog" {
  source = "../../../unity_catalog"

  catalog             = var.catalog
  create_catalog      = var.create_catalog
  schema              = var.schema
  volume              = var.volume
  storage_url         = var.storage_url
  access_connector_id = var.access_connector_id
}

module "ml_assets" {
  source = "../../../ml_assets"

  workspace_folder = dirname(var.experiment)
  experiment_name  = var.experiment
  catalog_name     = module.unity_catalog.catalog
  schema_name      = module.unity_catalog.schema_name
  model_name       = var.model
  secret_scope     = var.secret_scope
  volume_path      = module.unity_catalog.volume_path
  data_folder      = var.data_folder
  wheels_folder    = var.wheels_folder
  wheels_pattern   = local.wheel_name
}

# The cluster of the notebooks, and by default of the job.
module "ml_cluster" {
  source = "../../../ml_cluster"

  name                    = var.schema
  spark_version           = var.spark_version
  node_type               = var.node_type
  num_workers             = var.num_workers
  vcpu_quota              = var.vcpu_quota
  autotermination_minutes = var.autotermination_minutes
  single_user_name        = var.single_user_name
  pypi_packages           = var.pypi_packages
  wheels                  = var.wheels_folder == null ? [] : [local.wheel]
  spark_env_vars          = local.environment_variables
  custom_tags             = var.tags
}

module "ml_job" {
  source = "../../../ml_job"

  name                = var.schema
  wheel               = local.wheel
  pypi_packages       = var.pypi_packages
  state_folder        = "${module.unity_catalog.volume_path}/state"
  problem_file        = var.problem_file
  compute             = var.job_compute
  existing_cluster_id = var.job_compute == "existing_cluster" ? module.ml_cluster.cluster_id : null
  spark_version       = var.spark_version
  node_type           = var.node_type
  num_workers         = var.num_workers
  vcpu_quota          = var.vcpu_quota
  spark_env_vars      = var.job_compute == "job_cluster" ? local.environment_variables : {}
  schedule            = var.schedule
  notifications       = { on_failure = var.notified_of_failures }
  tags                = var.tags
}

module "model_serving" {
  source = "../../../model_serving"

  name                       = var.endpoint
  model                      = module.ml_assets.registered_model
  sku                        = var.sku
  champion_version           = var.champion_version
  challenger_version         = var.challenger_version
  challenger_percentage      = var.challenger_percentage
  notified_of_failed_updates = var.notified_of_failures
  tags                       = var.tags

  inference_table = {
    catalog_name      = module.unity_catalog.catalog
    schema_name       = module.unity_catalog.schema_name
    table_name_prefix = var.model
  }
}
