locals {
  regions = setunion(jsondecode(file("${path.module}/regions.json")), var.further_regions)
}
