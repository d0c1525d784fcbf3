module "unity_catalog" {
  source = "../../unity_catalog"

  catalog = var.catalog
  schema  = "wine_quality"
}

module "ml_assets" {
  source = "../../ml_assets"

  workspace_folder = "/Shared/gauntlet"
  experiment_name  = "/Shared/gauntlet/wine_quality"

  catalog_name = module.unity_catalog.catalog
  schema_name  = module.unity_catalog.schema_name
  model_name   = "wine_classifier"

  volume_path   = module.unity_catalog.volume_path
  data_folder   = var.data_folder
  wheels_folder = var.wheels_folder
}

# One node of 4 vCPUs, which is all that a free trial may run.
module "ml_cluster" {
  source = "../../ml_cluster"

  name             = "gauntlet"
  spark_version    = var.spark_version
  single_user_name = var.single_user_name
  wheels           = values(module.ml_assets.wheel_files)
  spark_env_vars   = var.data_folder == null ? {} : { GAUNTLET_DATA_DIR = module.ml_assets.data_path }
}
