SELECT count(*) FROM main.wine_quality.curated
