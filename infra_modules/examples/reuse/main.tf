# A stack of another team, as it might be: their provider with their alias, their names and tags. Of Gauntlet it takes one
# module. Outside this repository the source is the address in README.md.

provider "databricks" {
  alias = "analytics"
  host  = var.databricks_host
}

locals {
  prefix = "churn-${var.environment}"
}

module "training_cluster" {
  source = "../../ml_cluster"

  providers = {
    databricks = databricks.analytics
  }

  name             = "${local.prefix}-training"
  spark_version    = "17.3.x-scala2.13"
  node_type        = "Standard_E4ds_v5"
  single_user_name = "churn-engineers"

  num_workers  = 2
  vcpu_quota   = 20
  availability = "SPOT_WITH_FALLBACK_AZURE"

  pypi_packages = ["lifelines==0.30.0"]
  custom_tags   = { team = "churn", environment = var.environment }
  permissions   = { groups = { "churn-engineers" = "CAN_RESTART" } }
}
