resource "databricks_file" "data" {
  for_each = var.data_folder == null ? toset([]) : fileset(var.data_folder, var.data_pattern)

  path   = "${var.volume_path}/data/${each.key}"
  source = "${var.data_folder}/${each.key}"
}

resource "databricks_file" "suite" {
  for_each = var.suites_folder == null ? toset([]) : fileset(var.suites_folder, var.suites_pattern)

  path   = "${var.volume_path}/suites/${each.key}"
  source = "${var.suites_folder}/${each.key}"
}

resource "databricks_file" "wheel" {
  for_each = var.wheels_folder == null ? toset([]) : fileset(var.wheels_folder, var.wheels_pattern)

  path   = "${var.volume_path}/wheels/${each.key}"
  source = "${var.wheels_folder}/${each.key}"
}
